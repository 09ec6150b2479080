"""Crop: a box in a voxel grid, which may reach beyond it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Shaped

from disyre.errors import EmptyImage
from disyre.types import Mask
from disyre.volume import Volume


@dataclass(frozen=True)
class Crop:
    """A part of a grid, widened by zeros where it reaches beyond."""

    shape: tuple[int, int, int]
    """Of the grid."""
    start: tuple[int, int, int]
    """First voxel of the box; may be negative."""
    size: tuple[int, int, int]

    @classmethod
    def around(cls, mask: Mask, *, margins: tuple[int, int, int] = (0, 0, 0)) -> Self:
        """The smallest box around a mask, and so many voxels more at either end.

        Raises EmptyImage if nothing is in the mask.
        """
        if not mask.any():
            raise EmptyImage("expected a mask with voxels in it, got an empty one")
        i, j, k = (_extent(mask, axis) for axis in range(3))
        start = (i[0] - margins[0], j[0] - margins[1], k[0] - margins[2])
        size = (i[1] - i[0] + 2 * margins[0], j[1] - j[0] + 2 * margins[1], k[1] - k[0] + 2 * margins[2])
        a, b, c = mask.shape
        return cls((a, b, c), start, size)

    @classmethod
    def without_padding(cls, voxels: Shaped[np.ndarray, "i j k"], *, keep: Mask | None = None) -> Self:
        """All of a grid but the planes at its border that have one and the same value in all their voxels.

        So what is added around a scan, all of one value, changes nothing. What is in `keep` is kept, and so
        is all of a grid of one value.
        """
        padding = _padding_value(voxels)
        a, b, c = voxels.shape
        if padding is None:
            return cls.whole((a, b, c))
        inside = voxels != padding if keep is None else (voxels != padding) | keep
        return cls.around(inside) if inside.any() else cls.whole((a, b, c))

    @classmethod
    def whole(cls, shape: tuple[int, int, int]) -> Self:
        """All of a grid."""
        return cls(shape, (0, 0, 0), shape)

    def cut(self, voxels: Shaped[np.ndarray, "i j k"]) -> Shaped[np.ndarray, "a b c"]:
        """The voxels of the box; 0 beyond the grid."""
        box = np.zeros(self.size, dtype=voxels.dtype)
        in_grid, in_box = self._overlap()
        box[in_box] = voxels[in_grid]
        return box

    def paste(self, box: Shaped[np.ndarray, "a b c"]) -> Shaped[np.ndarray, "i j k"]:
        """The box's voxels in their place; 0 around it."""
        voxels = np.zeros(self.shape, dtype=box.dtype)
        in_grid, in_box = self._overlap()
        voxels[in_grid] = box[in_box]
        return voxels

    def volume(self, volume: Volume) -> Volume:
        """The box of a volume, in its place in the world."""
        affine = volume.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ np.array(self.start, dtype=np.float64)
        return Volume(self.cut(volume.voxels), affine)

    def _overlap(self) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Where box and grid meet: in the grid, and in the box."""
        first = [max(0, s) for s in self.start]
        last = [min(n, s + size) for n, s, size in zip(self.shape, self.start, self.size, strict=True)]
        in_grid = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
        in_box = tuple(slice(a - s, b - s) for a, b, s in zip(first, last, self.start, strict=True))
        return in_grid, in_box


def faces_of(voxels: Shaped[np.ndarray, "i j k"]) -> list[np.ndarray]:
    """The six faces of a grid, as views: `take` would copy all of a grid in Fortran's order for each."""
    return [np.moveaxis(voxels, axis, 0)[end] for axis in range(3) for end in (0, -1)]


def _padding_value(voxels: np.ndarray) -> float | None:
    """The value that fills a whole face of a grid, the largest such face; None if no face is of one value."""
    filled = [face for face in faces_of(voxels) if face.min() == face.max()]
    return float(max(filled, key=lambda face: face.size).flat[0]) if filled else None


def _extent(mask: Mask, axis: int) -> tuple[int, int]:
    """First voxel, and one after the last, of a mask along an axis."""
    others = tuple(a for a in range(3) if a != axis)
    found = np.flatnonzero(mask.any(axis=others))
    return int(found[0]), int(found[-1]) + 1
