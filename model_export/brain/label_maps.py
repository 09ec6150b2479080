"""Label maps of whole heads, and which part of each is the brain (NIfTI in, tensors out)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nibabel as nib
import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

LEFT_AND_RIGHT: Final = {
    41: 2,
    42: 3,
    43: 4,
    44: 5,
    46: 7,
    47: 8,
    49: 10,
    50: 11,
    51: 12,
    52: 13,
    53: 17,
    54: 18,
    58: 26,
    57: 25,
    60: 28,
    62: 30,
    137: 136,
    164: 163,
}
"""FreeSurfer's label of a structure on the right, and of its twin on the left."""
WHITE: Final = (2, 7, 16, 28)
GREY: Final = (3, 8, 10, 11, 12, 13, 17, 18, 26)
FLUID: Final = (4, 5, 14, 15, 24, 72)
_NOT_BRAIN: Final = (0, 24, 85)
"""Besides the labels from 500 on: background, fluid around the brain, optic chiasm."""
_FIRST_EXTRACEREBRAL: Final = 500
_FLUID_AROUND: Final = 24
_CLOSING_MM: Final = 4.0
"""Sulci that are narrower than twice this belong to the brain, as in the masks of other programs."""
_RIM_MM: Final = 2.0
"""Fluid so close to the cortex belongs to the brain, as in the masks of other programs."""
_SMOOTHING_MM: Final = 1.0


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A head of 1 mm voxels in RAS+ order."""

    indices: torch.Tensor
    """Of each voxel (x, y, z), the place of its label in `labels`; uint8."""
    brain: torch.Tensor
    """uint8, 1 in the brain."""
    labels: tuple[int, ...]
    """Labels with those of the right called as on the left; the first is 0, the background."""
    centre: tuple[float, float, float]
    """Of the brain, in voxels."""


def read_label_map(path: Path) -> LabelMap:
    """Read a label map; 1 mm isotropic voxels are expected."""
    image = nib.as_closest_canonical(nib.load(path))
    values = np.rint(np.asarray(image.dataobj)).astype(np.int32)
    for right, left in LEFT_AND_RIGHT.items():
        values[values == right] = left
    labels, indices = np.unique(values, return_inverse=True)
    brain = brain_of(values)
    x, y, z = ndimage.center_of_mass(brain)
    return LabelMap(
        indices=torch.from_numpy(indices.reshape(values.shape).astype(np.uint8)),
        brain=torch.from_numpy(brain.astype(np.uint8)),
        labels=tuple(int(label) for label in labels),
        centre=(float(x), float(y), float(z)),
    )


def brain_of(values: npt.NDArray[np.int32], *, rim_mm: float = _RIM_MM) -> npt.NDArray[np.bool_]:
    """The brain in FreeSurfer labels of 1 mm voxels.

    Tissue and ventricles, sulci closed, holes filled, with a rim of the fluid around them.
    """
    margin = int(_CLOSING_MM + rim_mm) + 1
    values = np.pad(values, margin)
    everywhere = _tissue_of(values)
    (box,) = ndimage.find_objects(everywhere.astype(np.int8))
    box = tuple(slice(edge.start - margin, edge.stop + margin) for edge in box)
    tissue, fluid = everywhere[box], values[box] == _FLUID_AROUND
    dilated = ndimage.distance_transform_edt(~tissue) <= _CLOSING_MM
    closed = ndimage.distance_transform_edt(dilated) > _CLOSING_MM
    closed = ndimage.binary_fill_holes(closed | tissue)
    with_rim = closed | (fluid & (ndimage.distance_transform_edt(~closed) <= rim_mm))
    brain = np.zeros_like(everywhere)
    brain[box] = ndimage.gaussian_filter(with_rim.astype(np.float32), _SMOOTHING_MM) > 0.5
    return np.asarray(brain[margin:-margin, margin:-margin, margin:-margin])


def _tissue_of(values: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    return np.asarray((values < _FIRST_EXTRACEREBRAL) & ~np.isin(values, _NOT_BRAIN))


def read_label_maps(paths: Sequence[Path]) -> list[LabelMap]:
    """Read label maps, in order."""
    return [read_label_map(path) for path in paths]
