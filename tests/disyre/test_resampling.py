"""To the model's grid and back: nothing may move, whatever the orientation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from disyre import geometry
from disyre.resampling import GridMap
from disyre.types import Affine, Voxels
from disyre.volume import Volume
from tests.builders import make_volume
from tests.strategies import axis_affines


def ramp(affine: Affine, shape: tuple[int, int, int]) -> Voxels:
    """A linear function of the position in the world, so that every voxel checks its place."""
    index = np.indices(shape).reshape(3, -1).T.astype(np.float64)
    world = geometry.apply_affine(affine, index)
    return (world @ [1.0, 0.3, -0.7]).reshape(shape).astype(np.float32)


@given(affine=axis_affines(spacing=st.floats(0.5, 3.0)))
def test_the_model_sees_every_position_of_the_world_where_it_is(affine: Affine) -> None:
    volume = Volume(ramp(affine, (12, 14, 16)), affine)

    grid = GridMap.to_spacing(volume, 1.0)
    found = grid.to_model(volume.voxels)

    expected = ramp(grid.model_affine, grid.model_shape)
    inner = tuple(slice(n // 3, n - n // 3) for n in grid.model_shape)
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.02)
    assert geometry.orientation(grid.model_affine) == "RAS"


@given(affine=axis_affines(spacing=st.floats(0.5, 3.0)))
def test_a_map_comes_back_to_where_it_was(affine: Affine) -> None:
    volume = Volume(ramp(affine, (12, 14, 16)), affine)
    grid = GridMap.to_spacing(volume, 1.0)

    back = grid.to_native(ramp(grid.model_affine, grid.model_shape))

    inner = (slice(4, -4),) * 3
    assert back.shape == volume.shape
    np.testing.assert_allclose(back[inner], volume.voxels[inner], atol=0.02)


@given(affine=axis_affines(spacing=st.just(1.02)))
def test_at_the_models_spacing_the_way_back_is_exact(affine: Affine) -> None:
    voxels = np.random.default_rng(0).random((5, 6, 7), dtype=np.float32)
    grid = GridMap.to_spacing(Volume(voxels, affine), 1.0)

    np.testing.assert_array_equal(grid.to_native(grid.to_model(voxels)), voxels)


@given(spacing=st.tuples(*[st.floats(0.5, 2.0)] * 3))
def test_a_smooth_image_survives_the_way_there_and_back(spacing: tuple[float, float, float]) -> None:
    volume = make_volume((40, 44, 48), np.diag([*spacing, 1.0]))
    smooth = ndimage.gaussian_filter(volume.voxels, 4)
    grid = GridMap.to_spacing(volume, 1.0)

    back = grid.to_native(grid.to_model(smooth))

    assert np.abs(back - smooth).max() < 0.1 * smooth.max()


@given(spacing=st.tuples(*[st.floats(0.3, 3.0)] * 3))
def test_interpolation_is_that_of_scipy(spacing: tuple[float, float, float]) -> None:
    grid = GridMap.to_spacing(Volume(np.zeros((9, 10, 11), dtype=np.float32), np.diag([*spacing, 1.0])), 1.0)
    voxels = np.random.default_rng(0).random(grid.model_shape, dtype=np.float32)

    found = grid.to_native(voxels)

    offset = [(zoom - 1) / 2 for zoom in grid.zoom]
    expected = ndimage.affine_transform(
        voxels, np.array(grid.zoom), offset, output_shape=(9, 10, 11), order=1, mode="nearest"
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_coarser_grid_takes_means_and_not_samples() -> None:
    checkers = (np.indices((32, 32, 32)).sum(axis=0) % 2).astype(np.float32)
    grid = GridMap.to_spacing(Volume(checkers, np.diag([0.5, 0.5, 0.5, 1.0])), 1.0)

    found = grid.to_model(checkers)

    assert found.shape == (16, 16, 16)
    assert found[2:-2, 2:-2, 2:-2].std() < 0.05


def test_a_mask_keeps_its_volume() -> None:
    volume = make_volume((60, 60, 60), np.diag([0.8, 0.8, 1.3, 1.0]))
    mask = volume.voxels > 0
    grid = GridMap.to_spacing(volume, 1.0)

    there = grid.mask_to_model(mask)
    back = grid.to_native(there.astype(np.float32)) >= 0.5

    assert there.sum() == pytest.approx(mask.sum() * 0.8 * 0.8 * 1.3, rel=0.02)
    assert np.mean(back != mask) < 0.02


def test_an_oblique_scan_is_reordered_but_not_rotated() -> None:
    angle = np.radians(20)
    rotation = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag([-1.0, -1.0, 1.0])
    volume = Volume(ramp(affine, (8, 9, 10)), affine)

    grid = GridMap.to_spacing(volume, 1.0)

    np.testing.assert_allclose(grid.to_model(volume.voxels), ramp(grid.model_affine, (8, 9, 10)), atol=1e-3)
