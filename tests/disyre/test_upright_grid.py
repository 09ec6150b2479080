"""Turned upright and back: nothing may move, and no side may become the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from disyre import geometry
from disyre.tilt import Turn
from disyre.types import Affine, Voxels
from disyre.upright_grid import UprightGridMap
from disyre.volume import Volume
from tests.builders import make_volume
from tests.strategies import axis_affines

turns = st.tuples(*[st.floats(-60, 60)] * 3).map(
    lambda angles: Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
)


def ramp(affine: Affine, shape: tuple[int, int, int]) -> Voxels:
    """A linear function of the position in the world, so that every voxel checks its place."""
    world = geometry.apply_affine(affine, np.indices(shape).reshape(3, -1).T.astype(np.float64))
    return (world @ [1.0, 0.3, -0.7]).reshape(shape).astype(np.float32)


def upright(volume: Volume, turn: Turn, spacing_mm: float = 1.0) -> UprightGridMap:
    return UprightGridMap.around(volume, volume.voxels != 0, turn, spacing_mm)


@given(affine=axis_affines(spacing=st.floats(0.7, 2.0)), turn=turns)
def test_every_position_of_the_world_stays_where_it_is_there_and_back(affine: Affine, turn: Turn) -> None:
    volume = Volume(np.ones((16, 18, 20), dtype=np.float32), affine)
    middle = np.zeros(volume.shape, dtype=bool)
    middle[6:-6, 6:-6, 6:-6] = True
    grid = UprightGridMap.around(volume, middle, turn, 1.0)

    there = grid.to_model(ramp(affine, volume.shape))
    back = grid.to_native(ramp(grid.model_affine, grid.model_shape))

    seen = grid.mask_to_model(middle)
    np.testing.assert_allclose(there[seen], ramp(grid.model_affine, grid.model_shape)[seen], atol=0.02)
    np.testing.assert_allclose(back[middle], ramp(affine, volume.shape)[middle], atol=0.02)


@given(turn=turns, spacing=st.tuples(*[st.floats(0.6, 2.0)] * 3))
def test_a_smooth_image_survives_the_way_there_and_back(
    turn: Turn, spacing: tuple[float, float, float]
) -> None:
    """Only interpolation is lost: less than a tenth of the largest value for details of 9 mm."""
    volume = make_volume((30, 34, 38), np.diag([*spacing, 1.0]))
    smooth = ndimage.gaussian_filter(volume.voxels, [4 / mm for mm in spacing])
    grid = upright(volume.with_voxels(smooth), turn)

    back = grid.to_native(grid.to_model(smooth))

    assert np.isfinite(back).all()
    inner = (slice(3, -3),) * 3
    assert np.abs(back - smooth)[inner].max() < 0.1 * smooth.max()


@given(affine=axis_affines(spacing=st.floats(0.8, 1.5)), turn=turns)
def test_the_upright_grid_has_the_axes_of_the_head_and_swaps_no_sides(affine: Affine, turn: Turn) -> None:
    volume = Volume(np.ones((12, 13, 14), dtype=np.float32), affine)

    grid = upright(volume, turn)

    np.testing.assert_allclose(grid.model_affine[:3, :3], turn, atol=1e-9)  # the scan's own are the world's
    assert np.linalg.det(grid.model_affine[:3, :3]) == pytest.approx(1)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_mark_on_the_right_stays_on_the_right_however_the_scan_is_stored(side: float) -> None:
    affine = np.diag([side, 1.0, 1.0, 1.0])
    affine[:3, 3] = (-side * 20, -20, -20)
    voxels = np.ones((41, 41, 41), dtype=np.float32)
    right = 35 if side > 0 else 5
    voxels[right - 2 : right + 3, 18:23, 18:23] = 100
    grid = upright(Volume(voxels, affine), Rotation.from_euler("xyz", (30, 20, 10), degrees=True).as_matrix())

    mark = np.array(ndimage.center_of_mass(grid.to_model(voxels) > 50))

    np.testing.assert_allclose(
        geometry.apply_affine(grid.model_affine, mark[np.newaxis])[0], (15, 0, 0), atol=0.3
    )
    assert mark[0] > grid.model_shape[0] / 2  # in RAS order, a larger index is further to the right


def test_beyond_the_scan_there_is_nothing() -> None:
    volume = Volume(np.ones((20, 20, 20), dtype=np.float32), np.eye(4))
    grid = upright(volume, Rotation.from_euler("z", 45, degrees=True).as_matrix())

    there = grid.to_model(volume.voxels)

    assert there[0, 0, 0] == 0
    assert there[tuple(n // 2 for n in grid.model_shape)] == 1
    assert grid.interpolated == (True, True, True)


def test_a_coarser_grid_takes_means_and_not_samples() -> None:
    checkers = (np.indices((32, 32, 32)).sum(axis=0) % 2).astype(np.float32) + 1
    volume = Volume(checkers, np.diag([0.5, 0.5, 0.5, 1.0]))
    grid = upright(volume, Rotation.from_euler("x", 20, degrees=True).as_matrix())

    there = grid.to_model(checkers)

    middle = tuple(slice(n // 2 - 3, n // 2 + 3) for n in grid.model_shape)
    assert there[middle].std() < 0.05


def test_axes_that_are_not_quite_perpendicular_are_made_so() -> None:
    affine = np.eye(4)
    affine[0, 1] = 0.02
    volume = Volume(np.ones((10, 10, 10), dtype=np.float32), affine)

    axes = upright(volume, np.eye(3)).model_affine[:3, :3]

    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
