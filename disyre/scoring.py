"""From a finished anomaly map to numbers: one score for the volume, and the regions above a threshold."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from disyre import geometry
from disyre.types import Affine, Mask
from disyre.volume import Volume

_TOP_SHARE = 0.01
"""Share of the brain whose highest values make the anomaly score."""
LEAST_REGION_ML: Final = 0.05
"""What is smaller is a speck, and no region."""
MOST_REGIONS: Final = 50
"""That are listed."""


@dataclass(frozen=True)
class Region:
    """A connected piece of the map above the threshold."""

    volume_ml: float
    peak: float
    mean: float
    peak_position_mm: tuple[float, float, float]
    """Where the map is highest: world, RAS+."""
    centroid_mm: tuple[float, float, float]
    """Centre of the region: world, RAS+."""


@dataclass(frozen=True)
class Regions:
    """All pieces above the threshold."""

    listed: tuple[Region, ...]
    """The largest first; at most 50."""
    n_regions: int
    """Listed or not; of at least LEAST_REGION_ML."""
    volume_ml: float
    """Of all that is above the threshold, specks too."""


def anomaly_score(anomaly_map: Volume, brain_mask: Mask) -> float:
    """One number for a volume: the mean of the map over the hundredth of the brain where it is highest."""
    values = anomaly_map.voxels[brain_mask]
    n = max(1, round(values.size * _TOP_SHARE))
    return float(np.partition(values, values.size - n)[-n:].mean(dtype=np.float64))


def mask_volume_ml(mask: Mask, affine: Affine) -> float:
    """Volume of a mask, in mL."""
    return float(np.count_nonzero(mask) * geometry.voxel_volume_ml(affine))


def find_regions(anomaly_map: Volume, brain_mask: Mask, threshold: float) -> Regions:
    """Connected regions (26 neighbours) of the brain in which the map is above `threshold`."""
    pieces = _Pieces.of(anomaly_map, brain_mask, threshold)
    boxes = ndimage.find_objects(pieces.labels)
    listed = tuple(
        _measure(anomaly_map, pieces.labels, label, boxes[label - 1]) for label in pieces.large[:MOST_REGIONS]
    )
    return Regions(listed=listed, n_regions=len(pieces.large), volume_ml=pieces.volume_ml)


def label_regions(anomaly_map: Volume, brain_mask: Mask, threshold: float) -> npt.NDArray[np.uint8]:
    """Which voxels are of which region, numbered from 1 as `find_regions` lists them.

    0 is what is not above the threshold; what is, and of no region that is listed, has the number after the
    last.
    """
    pieces = _Pieces.of(anomaly_map, brain_mask, threshold)
    listed = pieces.large[:MOST_REGIONS]
    numbers = np.full(pieces.labels.max() + 1, len(listed) + 1, dtype=np.uint8)
    numbers[0] = 0
    numbers[listed] = np.arange(1, len(listed) + 1)
    return np.asarray(numbers[pieces.labels])


@dataclass(frozen=True, eq=False)
class _Pieces:
    """What is connected above a threshold, specks too."""

    labels: npt.NDArray[np.signedinteger]
    large: list[int]
    """Labels of those that are no specks, the largest first."""
    volume_ml: float
    """Of all."""

    @classmethod
    def of(cls, anomaly_map: Volume, brain_mask: Mask, threshold: float) -> "_Pieces":
        above = (anomaly_map.voxels > threshold) & brain_mask
        labels, n = ndimage.label(above, structure=np.ones((3, 3, 3)))
        voxel_ml = geometry.voxel_volume_ml(anomaly_map.affine)
        sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
        large = [
            int(label) + 1
            for label in np.argsort(-sizes, kind="stable")
            if sizes[label] * voxel_ml >= LEAST_REGION_ML
        ]
        return cls(labels, large, float(sizes.sum() * voxel_ml))


def _measure(anomaly_map: Volume, labels: np.ndarray, label: int, box: tuple[slice, ...]) -> Region:
    inside = labels[box] == label
    values = np.where(inside, anomaly_map.voxels[box], -np.inf)
    corner = np.array([side.start for side in box], dtype=np.float64)
    peak = np.array(np.unravel_index(int(np.argmax(values)), values.shape), dtype=np.float64) + corner
    centre = np.argwhere(inside).mean(axis=0) + corner
    peak_mm, centre_mm = geometry.apply_affine(anomaly_map.affine, np.stack([peak, centre]))
    return Region(
        volume_ml=mask_volume_ml(inside, anomaly_map.affine),
        peak=float(values.max()),
        mean=float(values[inside].mean(dtype=np.float64)),
        peak_position_mm=(float(peak_mm[0]), float(peak_mm[1]), float(peak_mm[2])),
        centroid_mm=(float(centre_mm[0]), float(centre_mm[1]), float(centre_mm[2])),
    )
