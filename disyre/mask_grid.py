"""Whether a mask lies on the grid of its scan, in whatever order its axes are stored."""

from typing import Final

import numpy as np

from disyre import geometry
from disyre.errors import MaskMismatch
from disyre.types import Affine, Points

_SAME_PLACE_MM: Final = 0.5
"""Largest distance between the corners of two grids that are still called the same."""


def check_same_grid(
    shape: tuple[int, int, int], affine: Affine, *, mask_shape: tuple[int, int, int], mask_affine: Affine
) -> None:
    """Raise MaskMismatch if a mask has not the shape of its scan, or lies elsewhere in the world."""
    came = _in_order_of(affine, mask_shape, mask_affine)
    if came != shape:
        raise MaskMismatch(f"expected a mask of the scan's shape {shape}, got {came}")
    apart = _corners_mm(shape, affine) - _corners_mm(mask_shape, mask_affine)
    distance_mm = np.abs(apart).max()
    if distance_mm > _SAME_PLACE_MM:
        raise MaskMismatch(
            f"expected a mask on the scan's grid, got one whose corners lie {distance_mm:.1f} mm away"
        )


def _in_order_of(
    affine: Affine, mask_shape: tuple[int, int, int], mask_affine: Affine
) -> tuple[int, int, int]:
    """The shape of a mask, had it been stored in the axis order of its scan."""
    axes, _ = geometry.axes_to_ras(affine)
    mask_axes, _ = geometry.axes_to_ras(mask_affine)
    i, j, k = (mask_shape[mask_axes[axes.index(axis)]] for axis in range(3))
    return i, j, k


def _corners_mm(shape: tuple[int, int, int], affine: Affine) -> Points:
    """Where the outermost voxels lie, the same ones first whatever the axis order."""
    axes, signs = geometry.axes_to_ras(affine)
    corners = geometry.corners(shape[axis] for axis in axes)  # in RAS order
    last = np.array([shape[axis] - 1 for axis in axes])
    stored = np.empty_like(corners)
    stored[:, axes] = np.where(np.array(signs) > 0, corners, last - corners)
    return geometry.apply_affine(affine, stored)
