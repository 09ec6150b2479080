"""Slices cut to the brain: whole, or as overlapping windows that are blended back.

DISYRE v2 (MICCAI 2024), section 2.4: sliding windows with Gaussian weights.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float32

from disyre.types import Batch, Mask, Slices, Voxels

_SIGMA = 0.125
"""Width of the Gaussian blending weights, as a share of the window."""
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class BrainBox:
    """The part of a model-space volume that is restored: the brain's bounding box, widened to a stride."""

    shape: tuple[int, int, int]
    """Of the volume."""
    start: tuple[int, int, int]
    """First voxel of the box; may be negative, where the box reaches beyond the volume."""
    size: tuple[int, int, int]

    @classmethod
    def around(cls, brain_mask: Mask, *, stride: int, least: int = 1) -> Self:
        """The smallest box around the brain; edges i and j are multiples of `stride` and at least `least`."""
        i, j, k = (_extent(brain_mask, axis) for axis in range(3))
        start_i, size_i = _widen(*i, stride, least)
        start_j, size_j = _widen(*j, stride, least)
        a, b, c = brain_mask.shape
        return cls((a, b, c), (start_i, start_j, k[0]), (size_i, size_j, k[1] - k[0]))

    def cut(self, voxels: Voxels) -> Slices:
        """The axial slices of the box, as (slice, i, j); 0 beyond the volume."""
        slices = np.zeros((self.size[2], self.size[0], self.size[1]), dtype=np.float32)
        inside, box = self._overlap()
        slices[box[2], box[0], box[1]] = voxels[inside].transpose(2, 0, 1)
        return slices

    def paste(self, slices: Slices) -> Voxels:
        """The box's slices in their place; 0 outside the box."""
        voxels = np.zeros(self.shape, dtype=np.float32)
        inside, box = self._overlap()
        voxels[inside] = slices[box[2], box[0], box[1]].transpose(1, 2, 0)
        return voxels

    def _overlap(self) -> tuple[tuple[slice, slice, slice], tuple[slice, slice, slice]]:
        """Where box and volume meet: in the volume, and in the box."""
        first = [max(0, s) for s in self.start]
        last = [min(n, s + size) for n, s, size in zip(self.shape, self.start, self.size, strict=True)]
        inside = [slice(a, b) for a, b in zip(first, last, strict=True)]
        box = [slice(a - s, b - s) for a, b, s in zip(first, last, self.start, strict=True)]
        return (inside[0], inside[1], inside[2]), (box[0], box[1], box[2])


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


def _extent(mask: Mask, axis: int) -> tuple[int, int]:
    """First voxel, and one after the last, of a mask along an axis."""
    others = tuple(a for a in range(3) if a != axis)
    found = np.flatnonzero(mask.any(axis=others))
    return int(found[0]), int(found[-1]) + 1


def _widen(start: int, stop: int, stride: int, least: int) -> tuple[int, int]:
    """Start and size of an interval around [start, stop) whose size is a multiple of `stride`."""
    size = -(-max(stop - start, least) // stride) * stride
    return start - (size - (stop - start)) // 2, size
