"""Slices of label maps, from which training images of any modality are painted."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self, TypeAlias

import nibabel as nib
import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int64, UInt8
from nibabel.filebasedimages import ImageFileError
from torch import Tensor

from disyre.crop import Crop
from disyre.errors import InvalidInput
from disyre.wording import counted
from model_export.brain.label_maps import FLUID as FLUID_LABELS
from model_export.brain.label_maps import LEFT_AND_RIGHT, brain_of
from model_export.brain.label_maps import WHITE as WHITE_LABELS
from model_export.contrast import FLUID, GREY, MIXED, WHITE
from model_export.dataset import has_brain, in_common_frame
from model_export.slice_file import opened

RIMS_MM: Final = (0.0, 2.0, 4.0, 8.0)
"""Depth of the fluid around the brain that is within the masks: that of programs differs so much."""
Codes: TypeAlias = npt.NDArray[np.uint8]

_MIXED_LABELS: Final = (10, 13, 16, 28)
"""Thalamus, pallidum, brain stem, ventral diencephalon: anywhere between grey and white matter."""
_LABELS: Final = (2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 24, 26, 28, 30, 31, 72, 77, 85)
"""FreeSurfer's labels in a brain, those of the right called as on the left; all others are taken as fluid."""
_AXES: Final = 3
_FEWEST_LABELS: Final = 4
"""A map of three tissues has fewer."""
_MOST_LABELS: Final = 200
"""Of one side; a whole head has about 60, a scan of 8-bit numbers up to 255."""
_WHITE_AND_GREY: Final = (2, 3)
_LEAST_SHARE: Final = 0.05
"""Of what is not background: in whole heads a fifth, and in scans of 8-bit numbers one or two hundredths."""
_FLUID_CODE: Final = 1 + _LABELS.index(24)


@dataclass(frozen=True, eq=False)
class LabelSlices:
    """The axial slices of some label maps, 1 mm, each in the middle of a frame."""

    coded: UInt8[Tensor, "slice i j"]
    """0 outside the brain, else 1 + a place in a list of labels."""
    extent: UInt8[Tensor, "slice i j"]
    """From which of `RIMS_MM` on a pixel is part of the brain, counted from 1; 0 where it never is."""
    tissue_of_code: Int64[Tensor, " code"]
    """Of `model_export.contrast`: FLUID, GREY, WHITE or MIXED."""
    n_maps: int = 1

    @classmethod
    def read(cls, paths: Iterable[Path], *, min_frame_px: int) -> Self:
        """The label maps in some files."""
        stacks = [_code(_read(path)) for path in paths]
        coded, extent = (in_common_frame(kind, min_frame_px) for kind in zip(*stacks, strict=True))
        return cls(coded, extent, torch.tensor(_tissues(_LABELS)), len(stacks))

    def draw(self, n: int, generator: torch.Generator) -> UInt8[Tensor, "batch i j"]:
        """Random slices, coded; brain masks are as tight or as wide as those of some program."""
        device = generator.device
        index = torch.randint(len(self.coded), (n,), generator=generator, device=device)
        widest = torch.randint(1, len(RIMS_MM) + 1, (n, 1, 1), generator=generator, device=device)
        return self.coded[index] * (self.extent[index] <= widest)

    def to(self, device: str) -> Self:
        """The same slices on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("coded", "extent", "tissue_of_code")}
        return replace(self, **moved)

    def save(self, path: Path) -> None:
        """Keep the slices in a file."""
        tissues = self.tissue_of_code.numpy()
        coded, extent = self.coded.numpy(), self.extent.numpy()
        np.savez_compressed(path, coded=coded, extent=extent, tissue_of_code=tissues, n_maps=self.n_maps)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with opened(path) as file:
            tissues = torch.from_numpy(file["tissue_of_code"])
            coded, extent = torch.from_numpy(file["coded"]), torch.from_numpy(file["extent"])
            return cls(coded, extent, tissues, int(file["n_maps"]))


def find_label_maps(folder: Path) -> list[Path]:
    """The files `*.nii.gz` below a folder, by name.

    Raises InvalidInput if there is none.
    """
    paths = sorted(folder.rglob("*.nii.gz"))
    if not paths:
        raise InvalidInput(f"expected label maps named *.nii.gz below {folder}, found none")
    return paths


def _read(path: Path) -> npt.NDArray[np.int32]:
    """Labels, those of the right called as on the left; anything else is refused by its path."""
    try:
        image = nib.as_closest_canonical(nib.load(path))
        values = np.asarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError) as error:
        raise InvalidInput(f"expected a label map that can be read at {path}: {error}") from error
    if values.ndim != _AXES or not np.array_equal(values, np.rint(values)):
        raise InvalidInput(f"expected whole numbers in a label map of 3 axes, got others at {path}")
    labels = values.astype(np.int32)
    for right, left in LEFT_AND_RIGHT.items():
        labels[labels == right] = left
    _check_labels(labels, path)
    return labels


def _check_labels(labels: npt.NDArray[np.int32], path: Path) -> None:
    """Tell a scan, whose greys may be whole numbers too."""
    found, counts = np.unique(labels[labels != 0], return_counts=True)
    share = counts[np.isin(found, _WHITE_AND_GREY)].sum() / max(counts.sum(), 1)
    if not _FEWEST_LABELS <= found.size <= _MOST_LABELS or share < _LEAST_SHARE:
        raise InvalidInput(
            f"expected FreeSurfer's labels, those of white and grey matter (2, 3, 41, 42) too, at {path}, "
            f"got {counted(found.size, 'label')}, with {share:.1%} of the voxels white or grey matter"
        )


def _code(labels: npt.NDArray[np.int32]) -> tuple[Codes, Codes]:
    """Codes and extents [slice, i, j] from labels [x, y, z], cropped to the brain."""
    brains = [brain_of(labels, rim_mm=rim_mm) for rim_mm in RIMS_MM]
    inside = np.logical_or.reduce(brains)
    extent = np.where(inside, 1 + np.argmax(brains, axis=0), 0).astype(np.uint8)
    codes = np.full(max(int(labels.max()), *_LABELS) + 1, _FLUID_CODE, dtype=np.uint8)
    for place, label in enumerate(_LABELS):
        codes[label] = 1 + place
    coded = np.where(inside, codes[labels], 0).astype(np.uint8)
    crop = Crop.around(inside)
    stacks = [np.ascontiguousarray(np.moveaxis(crop.cut(kind), 2, 0)) for kind in (coded, extent)]
    kept = has_brain(stacks[0])
    return stacks[0][kept], stacks[1][kept]


def _tissues(labels: Sequence[int]) -> list[int]:
    """Of every code; code 0 is background, whatever its tissue."""
    return [FLUID, *map(_tissue, labels)]


def _tissue(label: int) -> int:
    if label in _MIXED_LABELS:
        return MIXED
    if label in FLUID_LABELS:
        return FLUID
    return WHITE if label in (*WHITE_LABELS, 77, 85) else GREY
