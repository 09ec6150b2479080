"""A scored scan as people look at it: in RAS order, cut to the brain, plane by plane."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float

from disyre import geometry
from disyre.pipeline import ScoredVolume
from disyre.types import Affine, Mask, Voxels
from disyre.volume import Volume

Plane = Float[np.ndarray, "row column"]

SAGITTAL: Final = 0
CORONAL: Final = 1
AXIAL: Final = 2
"""Axis, in RAS order, that a plane's slices are counted along."""

_MARGIN: Final = 0.03
"""Around the brain, as a share of its longest edge."""
_WORST_APART_MM: Final = 12.0
"""Least distance between two of the slices that are shown as the worst."""
_THIN: Final = 0.1
"""Share of the largest area of brain in a slice below which there is hardly any, as at the vertex."""


@dataclass(frozen=True, eq=False)
class Views:
    """The scan, its restoration and its map, first axis to the right, second to the front, third up."""

    scan: Voxels
    restored: Voxels
    anomaly_map: Voxels
    brain: Mask
    affine: Affine
    """Index in these arrays to world (RAS+, mm)."""

    @classmethod
    def of(cls, volume: Volume, scored: ScoredVolume) -> Self:
        """Put a scored scan in RAS order and cut it to the box of the brain and a little around it."""
        axes, signs = geometry.axes_to_ras(volume.affine)
        flips = tuple(slice(None, None, sign) for sign in signs)
        brain = scored.brain_mask.transpose(axes)[flips]
        box = _box(brain, [volume.spacing_mm[axis] for axis in axes])
        images = (volume.voxels, scored.restored.voxels, scored.anomaly_map.voxels)
        scan, restored, anomaly_map = (image.transpose(axes)[flips][box] for image in images)
        # Native index of the first voxel of the box.
        corner = np.zeros(4)
        for axis, sign, side in zip(axes, signs, box, strict=True):
            corner[axis] = side.start if sign > 0 else volume.shape[axis] - 1 - side.start
        corner[3] = 1
        affine = np.eye(4)
        affine[:3, :3] = volume.affine[:3, list(axes)] * signs
        affine[:3, 3] = (volume.affine @ corner)[:3]
        return cls(scan, restored, anomaly_map, brain[box], affine)

    @property
    def edges_mm(self) -> tuple[float, float, float]:
        """Edges of the box."""
        right, front, up = np.multiply(self.scan.shape, geometry.spacing_mm(self.affine))
        return float(right), float(front), float(up)

    def span_mm(self, axis: int, index: int) -> tuple[float, float]:
        """Least and greatest world coordinate of a slice along its axis: apart if the scan is oblique."""
        corners = geometry.corners(self.scan.shape)
        corners[:, axis] = index
        along = geometry.apply_affine(self.affine, corners)[:, axis]
        return float(along.min()), float(along.max())

    def peak(self, axis: int, index: int) -> tuple[float, tuple[float, float, float]]:
        """The highest value of the map in a slice, and where in the world (mm) that is."""
        values = _cut(self.anomaly_map, axis, index)
        at = [int(place) for place in np.unravel_index(int(values.argmax()), values.shape)]
        at.insert(axis, index)
        x, y, z = geometry.apply_affine(self.affine, np.array([at], dtype=np.float64))[0]
        return float(values.max()), (float(x), float(y), float(z))

    def worst_slices(self, axis: int, n: int, *, threshold: float) -> list[int]:
        """At most `n` slices of the brain with the highest total above a threshold, some way apart.

        Where that is equal, as in a map that is low everywhere, more of the map is worse, then more brain.
        Behind the first, slices with hardly any brain are left out: nobody would see where that is.
        """
        others = tuple(other for other in range(3) if other != axis)
        above = np.where(self.anomaly_map > threshold, self.anomaly_map, 0).sum(axis=others)
        area = self.brain.sum(axis=others)
        order = np.lexsort((-area, -self.anomaly_map.sum(axis=others), -above))
        order = order[area[order] > 0]
        is_shown = area[order] >= _THIN * area.max()
        is_shown[0] = True
        apart = max(1.0, _WORST_APART_MM / geometry.spacing_mm(self.affine)[axis])
        chosen: list[int] = []
        for index in order[is_shown]:
            if len(chosen) < n and all(abs(int(index) - other) >= apart for other in chosen):
                chosen.append(int(index))
        return chosen


def plane(image: Voxels, axis: int, index: int) -> Plane:
    """A slice as it is shown: up or front at the top, the patient's right, or back, on the left."""
    upright = _cut(image, axis, index).T[::-1]
    return upright if axis == SAGITTAL else upright[:, ::-1]


def _cut(image: Voxels, axis: int, index: int) -> Plane:
    return np.asarray(np.moveaxis(image, axis, 0)[index])


def _box(brain: Mask, spacing_mm: list[float]) -> tuple[slice, ...]:
    found = np.argwhere(brain)
    first, last = found.min(axis=0), found.max(axis=0)
    margin_mm = _MARGIN * float(np.max((last + 1 - first) * spacing_mm))
    margin = np.ceil(np.divide(margin_mm, spacing_mm)).astype(int)
    starts, stops = np.maximum(first - margin, 0), np.minimum(last + 1 + margin, brain.shape)
    return tuple(slice(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True))
