"""Numbers from a map."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from disyre import scoring
from disyre.types import Mask
from disyre.volume import Volume
from tests.builders import make_volume

AFFINE = np.array([[-2.0, 0, 0, 50], [0, 2.0, 0, -60], [0, 0, 3.0, 10], [0, 0, 0, 1]])


def make_map(**boxes: tuple[slice, slice, slice]) -> tuple[Volume, Mask]:
    """A map of 0.01 in a brain, with 0.5 in some boxes."""
    volume = make_volume(affine=AFFINE)
    brain = volume.voxels > 0
    voxels = np.where(brain, 0.01, 0).astype(np.float32)
    for box in boxes.values():
        voxels[box] = 0.5
    return volume.with_voxels(voxels), brain


def test_the_score_is_the_mean_of_the_highest_hundredth_of_the_brain() -> None:
    values = np.arange(1000, dtype=np.float32).reshape(10, 10, 10)

    score = scoring.anomaly_score(Volume(values, np.eye(4)), np.ones_like(values, dtype=bool))

    assert score == pytest.approx(np.arange(990, 1000).mean())


def test_what_is_outside_the_brain_does_not_count() -> None:
    anomaly_map, brain = make_map()
    voxels = anomaly_map.voxels.copy()
    voxels[~brain] = 9

    loud = anomaly_map.with_voxels(voxels)

    assert scoring.anomaly_score(loud, brain) == pytest.approx(0.01)
    assert scoring.find_regions(loud, brain, 0.1).n_regions == 0


def test_a_region_has_its_volume_and_its_place_in_the_world() -> None:
    anomaly_map, brain = make_map(lesion=(slice(10, 14), slice(20, 23), slice(15, 17)))

    (region,) = scoring.find_regions(anomaly_map, brain, 0.1).listed

    assert region.volume_ml == pytest.approx(4 * 3 * 2 * 12 / 1000)
    assert region.centroid_mm == pytest.approx((50 - 2 * 11.5, -60 + 2 * 21, 10 + 3 * 15.5))
    assert (region.peak, region.mean) == (0.5, 0.5)


def test_the_peak_is_where_the_map_is_highest() -> None:
    anomaly_map, brain = make_map(lesion=(slice(10, 14), slice(20, 23), slice(15, 17)))
    voxels = anomaly_map.voxels.copy()
    voxels[13, 20, 16] = 0.8

    (region,) = scoring.find_regions(anomaly_map.with_voxels(voxels), brain, 0.1).listed

    assert region.peak == pytest.approx(0.8)
    assert region.peak_position_mm == (50 - 26, -60 + 40, 10 + 48)


def test_the_largest_region_comes_first_and_specks_only_add_to_the_volume() -> None:
    anomaly_map, brain = make_map(
        small=(slice(10, 12), slice(20, 22), slice(15, 17)),
        large=(slice(20, 25), slice(20, 25), slice(15, 20)),
        speck=(slice(30, 31), slice(20, 21), slice(15, 16)),
    )

    found = scoring.find_regions(anomaly_map, brain, 0.1)

    assert [round(r.volume_ml, 3) for r in found.listed] == [1.5, 0.096]
    assert found.n_regions == 2
    assert found.volume_ml == pytest.approx(1.5 + 0.096 + 0.012)


@given(voxels=arrays(np.float32, (6, 6, 6)).map(lambda a: np.nan_to_num(np.clip(a, 0, 1))))
def test_the_volume_above_the_threshold_is_that_of_the_voxels_above_it(voxels: np.ndarray) -> None:
    anomaly_map = Volume(voxels, np.diag([10.0, 10.0, 10.0, 1.0]))

    found = scoring.find_regions(anomaly_map, np.ones_like(voxels, dtype=bool), 0.5)

    assert found.volume_ml == pytest.approx(float((voxels > 0.5).sum()))
    assert found.n_regions == ndimage.label(voxels > 0.5, np.ones((3, 3, 3)))[1]
