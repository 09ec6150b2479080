"""From a scan of a tilted head to a grid in which it is upright, and exactly back.

The same two ways as those of `disyre.resampling.GridMap`; here the grid is turned, so that all three axes are
interpolated, even of slices that are thick.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from scipy import ndimage

from disyre import geometry
from disyre.progress import OnStep, go_on
from disyre.tilt import Turn
from disyre.types import Affine, Mask, Voxels
from disyre.volume import Volume

_MARGIN: Final = 2
"""Voxels around the brain."""
_CHUNK: Final = 1 << 20
"""So many voxels are looked at in one go, so that memory does not grow with the scan."""


@dataclass(frozen=True, eq=False)
class UprightGridMap:
    """The way between a native grid and one that is turned against it: both affines, and what follows."""

    native_affine: Affine
    native_shape: tuple[int, int, int]
    model_affine: Affine
    """Axes right, anterior and superior of the head itself."""
    model_shape: tuple[int, int, int]

    @classmethod
    def around(cls, volume: Volume, brain_mask: Mask, turn: Turn, spacing_mm: float) -> Self:
        """The grid around a brain in which it is upright.

        `turn` brings an upright head to how it lies, in the volume's axes in RAS order.
        """
        affine = np.eye(4)
        affine[:3, :3] = _nearest_turn(volume.affine) @ turn * spacing_mm
        low, high = _extent(brain_mask, np.linalg.inv(affine) @ volume.affine)
        affine[:3, 3] = affine[:3, :3] @ (np.floor(low) - _MARGIN)
        i, j, k = (int(n) for n in np.ceil(high) - np.floor(low) + 1 + 2 * _MARGIN)
        return cls(volume.affine, volume.shape, affine, (i, j, k))

    @property
    def interpolated(self) -> tuple[bool, bool, bool]:
        """Whether values between voxels are made, along the model's axes."""
        return (True, True, True)

    def to_model(self, voxels: Voxels, *, on_step: OnStep = go_on) -> Voxels:
        """Voxels on the native grid, interpolated linearly on the upright one; 0 beyond the native grid.

        `on_step` is called on the way.
        """
        spacing_mm = geometry.spacing_mm(self.model_affine)[0]
        native_mm = geometry.spacing_mm(self.native_affine)
        sigma = [max(0.0, (spacing_mm / mm - 1) / 2) for mm in native_mm]  # against aliasing
        smooth = ndimage.gaussian_filter(voxels, sigma, mode="nearest") if any(sigma) else voxels
        on_step()
        return _interpolate(smooth, self._model_to_native, self.model_shape)

    def to_native(self, voxels: Voxels, *, on_step: OnStep = go_on) -> Voxels:
        """Voxels on the upright grid, interpolated linearly on the native one; 0 beyond the upright grid."""
        on_step()
        return _interpolate(voxels, np.linalg.inv(self._model_to_native), self.native_shape)

    def mask_to_model(self, mask: Mask, *, on_step: OnStep = go_on) -> Mask:
        """A mask on the native grid, on the upright one: where at least half a voxel is inside."""
        return np.asarray(self.to_model(mask.astype(np.float32), on_step=on_step) >= 0.5)

    @property
    def _model_to_native(self) -> Affine:
        """Voxel index to voxel index."""
        return np.asarray(np.linalg.inv(self.native_affine) @ self.model_affine)


def _nearest_turn(affine: Affine) -> Turn:
    """Directions of a grid's axes in RAS order, made perpendicular where they are not quite."""
    axes, signs = geometry.axes_to_ras(affine)
    directions = affine[:3, list(axes)] * signs
    left, _, right = np.linalg.svd(directions / np.linalg.norm(directions, axis=0))
    return np.asarray(left @ right)


def _extent(mask: Mask, affine: Affine) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest coordinates of the voxels of a mask after an affine."""
    index = np.argwhere(mask)
    parts = [
        geometry.apply_affine(affine, index[n : n + _CHUNK].astype(np.float64))
        for n in range(0, len(index), _CHUNK)
    ]
    return np.min([p.min(axis=0) for p in parts], axis=0), np.max([p.max(axis=0) for p in parts], axis=0)


def _interpolate(voxels: Voxels, to_index: Affine, shape: tuple[int, int, int]) -> Voxels:
    found = ndimage.affine_transform(
        voxels.astype(np.float32, copy=False), to_index[:3, :3], to_index[:3, 3], output_shape=shape, order=1
    )
    return np.asarray(found, dtype=np.float32)
