"""Slices cut to the brain: whole, or as overlapping windows that are blended back.

DISYRE v2 (MICCAI 2024), section 2.4: sliding windows with Gaussian weights.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float32

from disyre.crop import Crop
from disyre.types import Batch, Mask, Slices, Voxels

_SIGMA = 0.125
"""Width of the Gaussian blending weights, as a share of the window."""
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class BrainBox:
    """The part of a model-space volume that is restored: the brain's bounding box, widened to a stride."""

    crop: Crop

    @classmethod
    def around(cls, brain_mask: Mask, *, stride: int, least: int = 1) -> Self:
        """The smallest box around the brain; edges i and j are multiples of `stride` and at least `least`."""
        tight = Crop.around(brain_mask)
        start_i, size_i = _widen(tight.start[0], tight.size[0], stride, least)
        start_j, size_j = _widen(tight.start[1], tight.size[1], stride, least)
        return cls(Crop(tight.shape, (start_i, start_j, tight.start[2]), (size_i, size_j, tight.size[2])))

    def cut(self, voxels: Voxels) -> Slices:
        """The axial slices of the box, as (slice, i, j); 0 beyond the volume."""
        return np.ascontiguousarray(self.crop.cut(voxels).transpose(2, 0, 1))

    def paste(self, slices: Slices) -> Voxels:
        """The box's slices in their place; 0 outside the box."""
        return self.crop.paste(slices.transpose(1, 2, 0))


@dataclass(frozen=True, eq=False)
class WindowGrid:
    """Overlapping square windows that cover a slice."""

    shape: tuple[int, int]
    """Of the slice; the windows reach every voxel of it."""
    window: int
    corners: tuple[tuple[int, int], ...]

    @classmethod
    def over(cls, shape: tuple[int, int], *, window: int, stride: int) -> Self:
        """Windows at multiples of `stride`.

        Raises ValueError if they would not end at the edge of the slice.
        """
        if any(edge < window or (edge - window) % stride for edge in shape):
            raise ValueError(f"expected edges of {window} plus a multiple of {stride}, got {shape}")
        rows, columns = (range(0, edge - window + 1, stride) for edge in shape)
        return cls(shape, window, tuple((row, column) for row in rows for column in columns))

    def cut(self, slices: Slices) -> Batch:
        """All windows of all slices, as a batch of one channel; the windows of a slice follow one another."""
        pieces = [slices[:, r : r + self.window, c : c + self.window] for r, c in self.corners]
        return np.stack(pieces, axis=1).reshape(-1, 1, self.window, self.window)

    def blend(self, batch: Batch) -> Slices:
        """Weighted mean of the windows at each voxel, with weights that fall towards a window's edge."""
        pieces = batch.reshape(-1, len(self.corners), self.window, self.window)
        total = np.zeros((pieces.shape[0], *self.shape), dtype=np.float32)
        weights = np.zeros(self.shape, dtype=np.float32)
        weight = blending_weights(self.window)
        for number, (r, c) in enumerate(self.corners):
            total[:, r : r + self.window, c : c + self.window] += weight * pieces[:, number]
            weights[r : r + self.window, c : c + self.window] += weight
        return total / weights


def blending_weights(window: int) -> Float32[np.ndarray, "i j"]:
    """A separable Gaussian over a window, at most 1 and at least 0.001."""
    positions = np.arange(window) - (window - 1) / 2
    line = np.exp(-0.5 * (positions / (_SIGMA * window)) ** 2)
    weights = np.outer(line, line)
    weights /= weights.max()
    return np.asarray(np.maximum(weights, _LEAST_WEIGHT), dtype=np.float32)


def _widen(start: int, size: int, stride: int, least: int) -> tuple[int, int]:
    """Start and size of an interval around another one, whose size is a multiple of `stride`."""
    wide = -(-max(size, least) // stride) * stride
    return start - (wide - size) // 2, wide
