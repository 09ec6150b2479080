"""Lesion shapes of other people, in MNI space, put into a brain: the boxes of both brains are aligned."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float64
from scipy import ndimage
from scipy.spatial.transform import Rotation

from disyre import geometry
from disyre.types import Affine, Mask, Points
from disyre.volume import Volume
from model_export.dataset import Scan

_MNI_WIDTH_MM: Final = (142.0, 179.0)
"""Of the brain of the MNI152 template, left to right and back to front."""
_MNI_TOP_MM: Final = (0.0, -16.5, 80.0)
"""Middle of the box of that brain, at its top. How far down a mask goes differs; where a brain ends above
does not."""

_TURN_DEG: Final = 5.0
_SHIFT_MM: Final = 4.0
_SCALE: Final = 0.05
"""Largest turn about each axis, shift along it and change in size, beyond what the boxes ask for."""
_ELASTIC_MM: Final = 2.0
"""Standard deviation of how far single points are moved, along each axis."""
_ELASTIC_GRID_MM: Final = 16.0
_EDGE_VOXELS: Final = 0.7
"""Width of the blur that takes the steps out of a mask before it is interpolated."""


@dataclass(frozen=True, eq=False)
class BrainFrame:
    """The box around a brain, in its world: axes to the right, the front and the top, in mm."""

    top_mm: Float64[np.ndarray, " 3"]
    """Middle of the box at its top."""
    scale: Float64[np.ndarray, " 3"]
    """Size along each axis, relative to the MNI152 template; upwards, the mean of the other two."""

    @classmethod
    def of(cls, brain_mask: Mask, affine: Affine) -> Self:
        """The frame of a brain that is about upright."""
        inside = np.argwhere(brain_mask)
        first, last = inside.min(axis=0), inside.max(axis=0)
        world = geometry.apply_affine(affine, first + geometry.corners(last - first + 1))
        low, high = world.min(axis=0), world.max(axis=0)
        width = (high - low)[:2] / np.array(_MNI_WIDTH_MM)
        return cls(np.array([*(low + high)[:2] / 2, high[2]]), np.array([*width, width.mean()]))

    def to_mni(self, points: Points) -> Points:
        """World mm of this brain to mm of MNI space."""
        return np.asarray((points - self.top_mm) / self.scale + np.array(_MNI_TOP_MM))

    def from_mni(self, points: Points) -> Points:
        """Mm of MNI space to world mm of this brain."""
        return np.asarray((points - np.array(_MNI_TOP_MM)) * self.scale + self.top_mm)


@dataclass(frozen=True, eq=False)
class Jitter:
    """What makes one shape several: a mirror, and a small turn, shift and change in size."""

    matrix: Float64[np.ndarray, "3 3"]
    shift_mm: Float64[np.ndarray, " 3"]
    is_mirrored: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """A random one."""
        turn = Rotation.from_euler("xyz", rng.uniform(-_TURN_DEG, _TURN_DEG, 3), degrees=True).as_matrix()
        matrix = turn * (1 + rng.uniform(-_SCALE, _SCALE))
        return cls(matrix, rng.uniform(-_SHIFT_MM, _SHIFT_MM, 3), bool(rng.random() < 0.5))

    def apply(self, points: Points, middle: Points) -> Points:
        """Shape to place, both in MNI mm; `middle` is one point."""
        return self._mirror((points - middle) @ self.matrix.T + middle + self.shift_mm)

    def undo(self, points: Points, middle: Points) -> Points:
        """Place to shape, both in MNI mm."""
        moved = self._mirror(points) - self.shift_mm - middle
        return np.asarray(moved @ np.linalg.inv(self.matrix).T + middle)

    def _mirror(self, points: Points) -> Points:
        return np.asarray(points * [-1.0 if self.is_mirrored else 1.0, 1.0, 1.0])


def place(shape: Volume, scan: Scan, rng: np.random.Generator) -> Mask:
    """A lesion mask in MNI space (above 0 is lesion), warped onto the grid of a scan, as far as it has one.

    It is not cut at the brain's edge. Rotation, shift, size, mirroring and a mild elastic warp are random.
    """
    frame, jitter = BrainFrame.of(scan.brain_mask, scan.volume.affine), Jitter.draw(rng)
    shape = _cropped(shape)
    corners = geometry.apply_affine(shape.affine, geometry.corners(shape.shape))
    middle = corners.mean(axis=0, keepdims=True)
    box = _box_around(frame.from_mni(jitter.apply(corners, middle)), scan.volume)
    voxels = np.stack(np.meshgrid(*(np.arange(side.start, side.stop) for side in box), indexing="ij"))
    points = geometry.apply_affine(scan.volume.affine, voxels.reshape(3, -1).T.astype(np.float64))
    points += _elastic(voxels.shape[1:], scan.volume.spacing_mm, rng)
    source = geometry.apply_affine(np.linalg.inv(shape.affine), jitter.undo(frame.to_mni(points), middle))
    soft = ndimage.gaussian_filter(shape.voxels, _EDGE_VOXELS)
    sampled = ndimage.map_coordinates(soft, source.T, order=1, mode="constant")
    mask = np.zeros(scan.volume.shape, dtype=np.bool_)
    mask[box] = (sampled >= 0.5).reshape(voxels.shape[1:])
    return mask


def _box_around(points: Points, volume: Volume) -> tuple[slice, ...]:
    """The voxels of a volume around points in its world, with a margin for the elastic warp."""
    landing = geometry.apply_affine(np.linalg.inv(volume.affine), points)
    margin = 3 * _ELASTIC_MM / np.array(volume.spacing_mm)
    low = np.clip(np.floor(landing.min(axis=0) - margin), 0, np.array(volume.shape) - 1).astype(int)
    high = np.clip(np.ceil(landing.max(axis=0) + margin) + 1, low + 1, volume.shape).astype(int)
    return tuple(map(slice, low, high))


def _elastic(shape: tuple[int, ...], spacing_mm: tuple[float, ...], rng: np.random.Generator) -> Points:
    """Smooth random displacements of the voxels of a box, in mm."""
    knots = [max(4, round(n * mm / _ELASTIC_GRID_MM) + 3) for n, mm in zip(shape, spacing_mm, strict=True)]
    coarse = rng.normal(0, _ELASTIC_MM, (3, *knots))
    zoom = [n / k for n, k in zip(shape, knots, strict=True)]
    fine = [ndimage.zoom(axis, zoom, order=1, mode="nearest", grid_mode=True) for axis in coarse]
    return np.stack([axis.ravel() for axis in fine], axis=1)


def _cropped(shape: Volume) -> Volume:
    """The box around a lesion, with a little space on all sides: 1 in the lesion, 0 around it."""
    lesion = shape.voxels > 0
    (box,) = ndimage.find_objects(lesion.astype(np.uint8))
    voxels = np.pad(lesion[box].astype(np.float32), 3)
    affine = shape.affine.copy()
    affine[:3, 3] = geometry.apply_affine(
        shape.affine, np.array([[side.start - 3 for side in box]], dtype=np.float64)
    )[0]
    return Volume(voxels, affine)
