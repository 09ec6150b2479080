"""A scored scan as it is looked at, on grids of any order and direction."""

import numpy as np
import pytest

from disyre import geometry
from disyre.pipeline import ScoredVolume
from disyre.types import Affine
from disyre.views import AXIAL, CORONAL, SAGITTAL, Views, plane
from disyre.volume import Volume
from tests.builders import make_record, make_volume

LPS: Affine = np.array([[-1.0, 0, 0, 30], [0, -2, 0, 40], [0, 0, 3, -50], [0, 0, 0, 1]])
PERMUTED: Affine = np.array([[0, 0, 1.5, -20], [-1.0, 0, 0, 10], [0, 2.0, 0, 5], [0, 0, 0, 1]])
OBLIQUE: Affine = np.array([[0, -1, 0.1, 5], [-1.2, 0, 0, 90], [0, 0.1, 1, -40], [0, 0, 0, 1.0]])


def scored(volume: Volume, *highs: tuple[tuple[int, int, int], float]) -> ScoredVolume:
    """A map that is 0 but for a few voxels."""
    voxels = np.zeros_like(volume.voxels)
    for at, value in highs:
        voxels[at] = value
    return ScoredVolume(volume.with_voxels(voxels), volume, volume.voxels > 0, make_record(volume), {})


@pytest.mark.parametrize("affine", [np.eye(4), LPS, PERMUTED, OBLIQUE])
def test_a_peak_is_where_the_volume_has_it_in_the_world(affine: Affine) -> None:
    volume = make_volume(affine=affine)
    views = Views.of(volume, scored(volume, ((12, 30, 20), 0.7)))

    for axis in (SAGITTAL, CORONAL, AXIAL):
        (index,) = views.worst_slices(axis, 1, threshold=0.1)
        value, position = views.peak(axis, index)
        assert value == pytest.approx(0.7)
        assert position == pytest.approx((affine @ [12, 30, 20, 1])[:3])


@pytest.mark.parametrize("affine", [LPS, PERMUTED, OBLIQUE])
def test_views_run_to_the_right_the_front_and_up(affine: Affine) -> None:
    volume = make_volume(affine=affine)

    views = Views.of(volume, scored(volume))

    assert geometry.orientation(views.affine) == "RAS"
    assert views.scan.shape == views.restored.shape == views.anomaly_map.shape == views.brain.shape


def test_views_end_a_little_outside_the_brain() -> None:
    volume = make_volume((60, 60, 60))
    voxels = np.zeros_like(volume.voxels)
    voxels[20:50, 10:60, 5:15] = 1
    cuboid = volume.with_voxels(voxels)

    views = Views.of(cuboid, scored(cuboid))

    assert views.edges_mm == (34, 52, 14)  # 2 mm each, but for the edge of the volume
    np.testing.assert_allclose(views.affine[:3, 3], [18, 8, 3])


def test_a_slice_of_an_oblique_scan_spans_world_positions() -> None:
    straight, oblique = make_volume(affine=LPS), make_volume(affine=OBLIQUE)
    views = Views.of(straight, scored(straight))
    tilted = Views.of(oblique, scored(oblique))

    low, high = views.span_mm(AXIAL, 5)
    assert low == high == pytest.approx(views.affine[2, 3] + 15)
    low, high = tilted.span_mm(AXIAL, 5)
    assert high - low == pytest.approx(0.1 * (tilted.scan.shape[0] - 1))


def test_the_worst_slice_has_the_most_above_the_threshold() -> None:
    volume = make_volume()
    faint = [((20, 24, 18), 0.09)] + [((19, j, 18), 0.09) for j in range(20, 28)]
    views = Views.of(volume, scored(volume, *faint, ((20, 24, 30), 0.2)))

    def worst_z(threshold: float) -> float:
        return views.span_mm(AXIAL, views.worst_slices(AXIAL, 1, threshold=threshold)[0])[0]

    assert worst_z(0.1) == 30
    assert worst_z(0.5) == 18  # nothing is above: all of the map counts


def test_the_worst_slices_are_apart_and_have_brain() -> None:
    volume = make_volume()
    views = Views.of(volume, scored(volume))

    chosen = views.worst_slices(AXIAL, 9, threshold=0.1)

    assert 1 < len(chosen) < 9
    assert np.diff(sorted(chosen)).min() >= 12
    assert all(views.brain[:, :, index].any() for index in chosen)
    assert views.brain[:, :, chosen[0]].sum() == views.brain.sum(axis=(0, 1)).max()


@pytest.mark.parametrize(
    ("highs", "expected"),
    [
        ({30: 0.9, 18: 0.5, 5: 0.4}, [30, 18, 5]),
        ({18: 0.9, 31: 0.8, 5: 0.3}, [18, 5]),
        ({31: 0.9, 18: 0.8}, [31, 18]),
        ({31: 0.9, 4: 0.8}, [31]),
    ],
    ids=["as they are", "a thin one behind", "the first as it is", "only thin ones"],
)
def test_behind_the_worst_slices_with_hardly_any_brain_are_left_out(
    highs: dict[int, float], expected: list[int]
) -> None:
    volume = make_volume()  # of its slices with brain, 4 and 31 have less than 10 % of the largest area
    views = Views.of(volume, scored(volume, *(((20, 24, k), value) for k, value in highs.items())))

    found = views.worst_slices(AXIAL, len(highs), threshold=0.1)

    chosen = [index for index in found if views.anomaly_map[:, :, index].any()]
    assert [round(views.span_mm(AXIAL, index)[0]) for index in chosen] == expected


def test_planes_have_right_or_back_on_the_left_and_front_or_up_at_the_top() -> None:
    right, front, up = np.meshgrid(*[np.arange(4, dtype=np.float32)] * 3, indexing="ij")

    np.testing.assert_array_equal(plane(right, AXIAL, 1)[0], [3, 2, 1, 0])
    np.testing.assert_array_equal(plane(front, AXIAL, 1)[:, 0], [3, 2, 1, 0])
    np.testing.assert_array_equal(plane(right, CORONAL, 1)[0], [3, 2, 1, 0])
    np.testing.assert_array_equal(plane(up, CORONAL, 1)[:, 0], [3, 2, 1, 0])
    np.testing.assert_array_equal(plane(front, SAGITTAL, 1)[0], [0, 1, 2, 3])
    np.testing.assert_array_equal(plane(up, SAGITTAL, 1)[:, 0], [3, 2, 1, 0])
