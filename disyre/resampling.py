"""From a scan's own grid to the model's, and exactly back.

The model's grid has the axes of the scan, put in the order and direction of RAS, with a spacing of its own;
nothing is rotated. Its first voxel covers the corner of the scan, so that both grids span the same box. Thick
slices may be kept as they are.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage

from disyre import geometry
from disyre.progress import OnStep, go_on
from disyre.types import Affine, Mask, Voxels
from disyre.volume import Volume

_SAME_SPACING = 0.05
"""Relative difference in spacing below which voxels are taken as they are: a head that looks 5 % larger to
the network costs less than interpolating it there and back."""


_THICK = 1.5
"""Slices that are so many times further apart than the model's voxels are looked at as they are."""


@dataclass(frozen=True, eq=False)
class GridMap:
    """The way between a native grid and the model's: reorder and flip axes, then scale each of them."""

    native_shape: tuple[int, int, int]
    axes: tuple[int, int, int]
    """Native axis that becomes the model's right, anterior and superior axis."""
    signs: tuple[int, int, int]
    """-1 where that axis is flipped."""
    model_shape: tuple[int, int, int]
    zoom: tuple[float, float, float]
    """Model voxels per native voxel, along the model's axes; exactly 1 where nothing is interpolated."""
    model_affine: Affine

    @classmethod
    def to_spacing(
        cls, volume: Volume, spacing_mm: float, *, slice_axis: int | None = None, exactly: bool = False
    ) -> Self:
        """The map from a volume's grid to one of the same box in RAS order with this spacing.

        Along the `slice_axis`, if there is one (2 is axial), thick slices are kept: between them there is
        nothing to be looked at. Spacings that differ little are taken as they are, unless the one that is
        asked for is to be kept `exactly`.
        """
        axes, signs = geometry.axes_to_ras(volume.affine)
        shape = tuple(volume.shape[axis] for axis in axes)
        native_spacing = [volume.spacing_mm[axis] for axis in axes]
        same = 0.0 if exactly else _SAME_SPACING
        zoom = tuple(1.0 if abs(s / spacing_mm - 1) < same else s / spacing_mm for s in native_spacing)
        if slice_axis is not None and native_spacing[slice_axis] >= _THICK * spacing_mm:
            zoom = tuple(1.0 if axis == slice_axis else z for axis, z in enumerate(zoom))
        model_shape = tuple(max(1, round(n * z)) for n, z in zip(shape, zoom, strict=True))
        ras_affine = volume.affine @ _reorder_affine(shape, axes, signs)
        return cls(
            native_shape=volume.shape,
            axes=axes,
            signs=signs,
            model_shape=(model_shape[0], model_shape[1], model_shape[2]),
            zoom=(zoom[0], zoom[1], zoom[2]),
            model_affine=ras_affine @ _zoom_affine(zoom),
        )

    def to_model(self, voxels: Voxels, *, on_step: OnStep = go_on) -> Voxels:
        """Voxels on the native grid, interpolated linearly on the model's. `on_step` is called on the way."""
        reordered = self._reorder(voxels)
        if self._is_exact:
            return np.ascontiguousarray(reordered, dtype=np.float32)
        for axis, zoom in enumerate(self.zoom):
            sigma = (1 / zoom - 1) / 2
            if sigma > 0:  # against aliasing where the grid gets coarser
                reordered = ndimage.gaussian_filter1d(reordered, sigma, axis, mode="nearest")
                on_step()
        return self._interpolate(reordered, self.model_shape, [1 / z for z in self.zoom], on_step)

    def to_native(self, voxels: Voxels, *, on_step: OnStep = go_on) -> Voxels:
        """Voxels on the model's grid, interpolated linearly on the native one, likewise."""
        if not self._is_exact:
            voxels = self._interpolate(voxels, self._reordered_shape, list(self.zoom), on_step)
        return np.ascontiguousarray(self._restore_order(voxels), dtype=np.float32)

    def mask_to_model(self, mask: Mask, *, on_step: OnStep = go_on) -> Mask:
        """A mask on the native grid, on the model's: where at least half a voxel is inside."""
        return np.asarray(self.to_model(mask.astype(np.float32), on_step=on_step) >= 0.5)

    @property
    def interpolated(self) -> tuple[bool, bool, bool]:
        """Whether values between voxels are made, along the model's axes."""
        right, front, up = (zoom != 1.0 for zoom in self.zoom)
        return right, front, up

    @property
    def _is_exact(self) -> bool:
        return self.zoom == (1.0, 1.0, 1.0)

    @property
    def _reordered_shape(self) -> tuple[int, int, int]:
        i, j, k = (self.native_shape[axis] for axis in self.axes)
        return i, j, k

    def _reorder(self, voxels: Voxels) -> Voxels:
        i, j, k = (slice(None, None, sign) for sign in self.signs)
        return voxels.transpose(self.axes)[i, j, k]

    def _restore_order(self, voxels: Voxels) -> Voxels:
        i, j, k = (slice(None, None, sign) for sign in self.signs)
        return voxels[i, j, k].transpose(np.argsort(self.axes))

    @staticmethod
    def _interpolate(
        voxels: Voxels, shape: tuple[int, int, int], step: list[float], on_step: OnStep
    ) -> Voxels:
        """Sample at index (n + 1/2) * step - 1/2 of each axis; beyond the border the last voxel goes on.

        One axis after the other, which gives the same as all at once and takes a fraction of the time.
        """
        voxels = voxels.astype(np.float32, copy=False)
        for axis in sorted(range(3), key=lambda axis: shape[axis] / voxels.shape[axis]):
            if step[axis] == 1.0 and shape[axis] == voxels.shape[axis]:
                continue
            last = voxels.shape[axis] - 1
            place = np.clip((np.arange(shape[axis]) + 0.5) * step[axis] - 0.5, 0, last)
            before = np.floor(place).astype(np.intp)
            weight = (place - before).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
            low = voxels.take(before, axis)
            on_step()
            voxels = voxels.take(np.minimum(before + 1, last), axis)
            on_step()
            voxels -= low
            voxels *= weight
            voxels += low
        return voxels


def reorient(volume: Volume, like: Affine) -> Volume:
    """The same voxels in the same places, stored in the axis order and directions of another affine."""
    axes, signs = geometry.axes_to_ras(volume.affine)
    right, front, up = (slice(None, None, sign) for sign in signs)
    ras = volume.voxels.transpose(axes)[right, front, up]
    ras_affine = volume.affine @ _reorder_affine(ras.shape, axes, signs)
    axes, signs = geometry.axes_to_ras(like)
    right, front, up = (slice(None, None, sign) for sign in signs)
    voxels = ras[right, front, up].transpose(np.argsort(axes))
    return Volume(voxels, ras_affine @ np.linalg.inv(_reorder_affine(ras.shape, axes, signs)))


def _reorder_affine(
    shape: tuple[int, ...], axes: tuple[int, int, int], signs: tuple[int, int, int]
) -> Affine:
    """Reordered voxel index to native voxel index; `shape` is in the new order."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for new, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[axis, new] = sign
        affine[axis, 3] = 0 if sign > 0 else shape[new] - 1
    return affine


def _zoom_affine(zoom: tuple[float, ...]) -> Affine:
    """Model voxel index to reordered voxel index, the corners of both grids in one place."""
    affine = np.diag([*(1 / z for z in zoom), 1.0])
    affine[:3, 3] = [(1 / z - 1) / 2 for z in zoom]
    return affine
