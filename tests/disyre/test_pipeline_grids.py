"""A scan is scored on its own grid, however its voxels are stored and however thick its slices are."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disyre.pipeline import score_volume
from disyre.types import Affine, Batch
from disyre.volume import Volume
from tests.builders import make_manifest, make_volume
from tests.disyre.one_line_restorers import darken, smooth


def oriented(volume: Volume, order: tuple[int, ...], flips: tuple[bool, ...]) -> Volume:
    """The same scan with its voxels stored in another order."""
    voxels = volume.voxels.transpose(order)
    index = np.zeros((4, 4))
    index[3, 3] = 1
    for new, (old, flip) in enumerate(zip(order, flips, strict=True)):
        index[old, new] = -1 if flip else 1
        index[old, 3] = voxels.shape[new] - 1 if flip else 0
        voxels = np.flip(voxels, new) if flip else voxels
    return Volume(np.ascontiguousarray(voxels), volume.affine @ index)


def undo(voxels: np.ndarray, order: tuple[int, ...], flips: tuple[bool, ...]) -> np.ndarray:
    """Back to the first order."""
    for axis, flip in enumerate(flips):
        voxels = np.flip(voxels, axis) if flip else voxels
    return voxels.transpose(np.argsort(order))


def test_all_48_orientations_of_a_scan_give_the_same_map_in_the_world() -> None:
    affine: Affine = np.diag([0.9, 1.3, 2.1, 1.0])
    volume = make_volume((20, 26, 18), affine)
    expected = score_volume(volume, smooth, make_manifest()).anomaly_map.voxels

    for order, flips in product(permutations(range(3)), product([False, True], repeat=3)):
        scored = score_volume(oriented(volume, order, flips), smooth, make_manifest())

        np.testing.assert_allclose(undo(scored.anomaly_map.voxels, order, flips), expected, atol=2e-5)


def thick(volume: Volume, n: int) -> Volume:
    """The same scan in slices of n voxels each, the mean of each."""
    k = volume.shape[2] // n * n
    voxels = volume.voxels[:, :, :k].reshape(*volume.shape[:2], -1, n).mean(axis=3, dtype=np.float32)
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 2] * (n - 1) / 2
    affine[:3, 2] *= n
    return Volume(voxels, affine)


def test_thick_axial_slices_are_looked_at_as_they_are_whatever_order_they_are_stored_in() -> None:
    scan = thick(make_volume(), 4)
    seen: list[tuple[int, ...]] = []

    def look(x: Batch, severity: float) -> Batch:
        seen.append(x.shape)
        return smooth(x, severity)

    expected = score_volume(scan, look, make_manifest(), batch_size=100)
    for order, flips in [((2, 0, 1), (True, False, False)), ((1, 2, 0), (False, True, True))]:
        there = score_volume(oriented(scan, order, flips), look, make_manifest(), batch_size=100)
        np.testing.assert_array_equal(
            undo(there.anomaly_map.voxels, order, flips), expected.anomaly_map.voxels
        )

    n_slices = int(np.count_nonzero((scan.voxels > 0).any(axis=(0, 1))))
    assert {shape[0] for shape in seen} == {n_slices}
    assert expected.preparation.own_slices
    assert expected.preparation.interpolated == ()


def test_thick_slices_that_are_not_axial_are_interpolated_and_that_is_said() -> None:
    scan = thick(make_volume(), 3)
    turned = Volume(scan.voxels, scan.affine[[2, 1, 0, 3]])

    record = score_volume(turned, smooth, make_manifest()).preparation

    assert record.interpolated == ("left-right",)
    assert record.model_spacing_mm == pytest.approx((1, 1, 1))


@given(
    spacing_mm=st.tuples(st.floats(0.6, 2.4), st.floats(0.6, 2.4), st.floats(0.6, 6.0)),
    order=st.permutations(range(3)),
    flips=st.tuples(*[st.booleans()] * 3),
)
def test_a_map_is_finite_on_the_scan_s_grid_and_0_where_the_network_saw_nothing(
    spacing_mm: tuple[float, float, float], order: list[int], flips: tuple[bool, bool, bool]
) -> None:
    scan = oriented(make_volume(affine=np.diag([*spacing_mm, 1.0])), tuple(order), flips)

    scored = score_volume(scan, darken, make_manifest())

    found = scored.anomaly_map
    assert found.shape == scan.shape
    np.testing.assert_array_equal(found.affine, scan.affine)
    assert np.isfinite(found.voxels).all()
    assert np.isfinite(scored.restored.voxels).all()
    assert not found.voxels[~scored.brain_mask].any()
    assert not scored.brain_mask[scan.voxels == 0].any()


@given(spacing_mm=st.tuples(*[st.floats(0.6, 2.4)] * 3), value=st.floats(0.01, 0.9))
def test_a_map_that_is_constant_where_the_network_looked_is_constant_on_the_scan(
    spacing_mm: tuple[float, float, float], value: float
) -> None:
    scored = score_volume(
        make_volume(affine=np.diag([*spacing_mm, 1.0])),
        lambda x, severity: x - np.float32(value),
        make_manifest(),
    )

    values = scored.anomaly_map.voxels[scored.brain_mask]
    np.testing.assert_allclose(values, value, rtol=1e-3)
