"""Scans -> slices in memory -> batches of patches.

A scan goes the way it goes at inference: to RAS and 1 mm, brain mask, intensities through `disyre.intensity`.
What is kept is uint8: 0 is outside the brain, 1 to 255 is [0, 1] inside, so that the mask travels with
the voxels and a whole cohort fits in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from disyre import brain, given_mask
from disyre.adapters.nifti import read_nifti
from disyre.crop import Crop
from disyre.errors import InvalidInput
from disyre.intensity import IntensityRule
from disyre.preparation import Preparation
from disyre.types import Mask
from disyre.volume import Volume
from model_export.augmentation import FrameMasks, Frames
from model_export.bids import bids_scans, find_brain_mask
from model_export.slice_file import opened

CodedSlices: TypeAlias = UInt8[np.ndarray, "slice i j"]
"""0 outside the brain, 1 to 255 is [0, 1] inside."""

INTENSITY_RULE: Final = IntensityRule(over="brain", percentile=99.0)
"""Used for training, and written into the manifest of every model."""

FRAME_MULTIPLE: Final = 32
"""Slices lie in frames whose edges are multiples of this, in pixels."""

Histogram: TypeAlias = npt.NDArray[np.float64]
"""Of the codes 0 to 255 in the brain."""

_KMEANS_ROUNDS: Final = 500
_FLUID_SHARE: Final = 0.03
"""The darkest voxels of a T1w brain are fluid."""
_MIN_BRAIN_SHARE: Final = 0.03
"""Slices with less brain than this share of the scan's largest slice are left out."""


@dataclass(frozen=True, eq=False)
class Scan:
    """One volume and its brain."""

    name: str
    volume: Volume
    brain_mask: Mask


def find_scans(folder: Path, modality: str) -> list[Path]:
    """The files `[*_]<modality>.nii[.gz]` below a folder, by name; of a BIDS data set its raw scans only.

    Raises InvalidInput if there is none.
    """
    found = bids_scans(folder, modality) or sorted(
        p
        for start in ("", "*_")
        for ending in ("nii", "nii.gz")
        for p in folder.rglob(f"{start}{modality}.{ending}")
    )
    if not found:
        raise InvalidInput(
            f"expected scans named *_{modality}.nii.gz, or {modality}.nii.gz in folders of their own, "
            f"below {folder}, found none"
        )
    return found


def scan_name(path: Path) -> str:
    """The name of a scan, such as `sub-01` for `sub-01_T1w.nii.gz` and for `sub-01/T1w.nii.gz`."""
    return path.name.split(".")[0].rpartition("_")[0] or path.parent.name


def read_scan(path: Path) -> Scan:
    """Read a scan. Its brain is the mask that `find_brain_mask` finds, or else all that is not background.

    Raises InvalidInput if the mask is of another grid, or if there is none and the skull is still there.
    """
    name = scan_name(path)
    volume = read_nifti(path)
    found = find_brain_mask(path, name)
    mask = given_mask.brain_mask(volume, read_nifti(found)) if found else brain.stripped_mask(volume)
    return Scan(name, volume, mask)


def to_slices(scan: Scan, rule: IntensityRule, *, spacing_mm: float = 1.0) -> CodedSlices:
    """The axial slices of a scan, cropped to the brain: 0 outside the brain, 1 to 255 inside.

    The same steps in the same order as `disyre.pipeline.score_volume`.
    """
    prepared = Preparation.of(scan.volume, scan.brain_mask, rule, spacing_mm=spacing_mm)
    coded = np.rint(prepared.voxels * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(Crop.around(prepared.mask).cut(coded), 2, 0))


@dataclass(frozen=True, eq=False)
class SliceBank:
    """The slices of some scans, each in the middle of a frame of one shape."""

    coded: UInt8[Tensor, "slice i j"]
    """0 outside the brain, 1 to 255 is [0, 1] inside."""
    scan_names: tuple[str, ...]
    n_slices: tuple[int, ...]
    """Of each scan; the slices of a scan follow one another, from the feet up."""

    @classmethod
    def of(cls, scans: Iterable[Scan], rule: IntensityRule, *, min_frame_px: int) -> Self:
        """Prepare scans; frames are at least `min_frame_px` on both edges."""
        names, stacks = [], []
        for scan in scans:
            names.append(scan.name)
            slices = to_slices(scan, rule)
            stacks.append(slices[has_brain(slices)])
        framed = in_common_frame(stacks, min_frame_px)
        return cls(framed, tuple(names), tuple(len(s) for s in stacks))

    def to(self, device: str) -> Self:
        """The same slices on a device."""
        return replace(self, coded=self.coded.to(device))

    def save(self, path: Path) -> None:
        """Keep the slices in a file."""
        np.savez_compressed(
            path, coded=self.coded.numpy(), scan_names=self.scan_names, n_slices=self.n_slices
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with opened(path) as file:
            names = tuple(str(name) for name in file["scan_names"])
            return cls(torch.from_numpy(file["coded"]), names, tuple(int(n) for n in file["n_slices"]))

    def frames(self, index: Tensor) -> tuple[Frames, FrameMasks]:
        """Whole slices in [0, 1], as inference sees them, and their brain masks."""
        coded = self.coded[index][:, None]
        return coded.float() / 255, coded > 0

    def scans(self) -> Iterator[Scan]:
        """The scans again, on the model's grid."""
        stacks = torch.split(self.coded.cpu(), list(self.n_slices))
        for name, coded in zip(self.scan_names, stacks, strict=True):
            voxels = np.ascontiguousarray(coded.permute(1, 2, 0).numpy())
            yield Scan(name, Volume(voxels.astype(np.float32) / 255, np.eye(4)), voxels > 0)

    def measure_anchors(self) -> Float32[Tensor, "slice 3"]:
        """Codes of fluid, grey and white matter in the T1w scan of each slice, rising."""
        stacks = torch.split(self.coded, list(self.n_slices))
        return torch.cat([_anchors(stack).expand(len(stack), 3) for stack in stacks])

    def evenly(self, n: int) -> Tensor:
        """Indices of n slices, spread evenly over all scans."""
        return torch.linspace(0, len(self.coded) - 1, min(n, len(self.coded))).round().long()


def crop_randomly(
    frames: Frames, inside: FrameMasks, edge_px: int, generator: torch.Generator
) -> tuple[Frames, FrameMasks]:
    """Cut a square out of each frame, anywhere."""
    device = generator.device
    n = len(frames)
    starts = [
        torch.randint(0, edge - edge_px + 1, (n, 1), generator=generator, device=device)
        for edge in frames.shape[-2:]
    ]
    i, j = (start + torch.arange(edge_px, device=device) for start in starts)
    batch = torch.arange(n, device=device)[:, None, None]
    i, j = i[:, :, None], j[:, None, :]
    return frames[batch, 0, i, j][:, None], inside[batch, 0, i, j][:, None]


def measure_codebook(coded: UInt8[Tensor, "slice i j"], n_classes: int) -> tuple[float, ...]:
    """Centres of k-means over brain intensities in [0, 1], rising: the tissue classes of these slices."""
    return tuple(round(float(c) / 255, 4) for c in _kmeans(_histogram(coded), n_classes))


def has_brain(stack: CodedSlices) -> npt.NDArray[np.bool_]:
    """Which slices of a scan have more than a little brain."""
    share = (stack > 0).sum(axis=(1, 2))
    return np.asarray(share >= _MIN_BRAIN_SHARE * share.max())


def in_common_frame(stacks: Sequence[CodedSlices], min_frame_px: int) -> UInt8[Tensor, "slice i j"]:
    """All slices, each in the middle of a frame that holds every one and is at least `min_frame_px` wide."""
    edges = [max(min_frame_px, *(s.shape[axis] for s in stacks)) for axis in (1, 2)]
    frame = [-(-edge // FRAME_MULTIPLE) * FRAME_MULTIPLE for edge in edges]
    return torch.from_numpy(np.concatenate([_in_frame(stack, frame[0], frame[1]) for stack in stacks]))


def _anchors(stack: UInt8[Tensor, "slice i j"]) -> Float32[Tensor, "3"]:
    counts = _histogram(stack)
    fluid = float(np.searchsorted(np.cumsum(counts), _FLUID_SHARE * counts.sum()))
    _, grey, white = _kmeans(counts, 3)
    return torch.tensor([min(fluid, grey - 1), grey, white], dtype=torch.float32, device=stack.device)


def _histogram(coded: UInt8[Tensor, "slice i j"]) -> Histogram:
    counts = torch.bincount(coded.flatten().long(), minlength=256).cpu().numpy().astype(np.float64)
    counts[0] = 0
    return counts


def _kmeans(counts: Histogram, n_classes: int) -> Histogram:
    """Rising centres of the codes of a histogram."""
    levels = np.arange(256)
    middles = (np.arange(n_classes) + 0.5) / n_classes
    centres = np.interp(middles, np.cumsum(counts) / counts.sum(), levels)
    for _ in range(_KMEANS_ROUNDS):
        nearest = np.abs(levels[:, None] - centres).argmin(axis=1)
        weights = np.bincount(nearest, weights=counts, minlength=n_classes)
        sums = np.bincount(nearest, weights=counts * levels, minlength=n_classes)
        centres = np.where(weights > 0, sums / np.maximum(weights, 1e-9), centres)
    return np.sort(centres)


def _in_frame(stack: CodedSlices, height: int, width: int) -> CodedSlices:
    framed = np.zeros((len(stack), height, width), dtype=np.uint8)
    top, left = (height - stack.shape[1]) // 2, (width - stack.shape[2]) // 2
    framed[:, top : top + stack.shape[1], left : left + stack.shape[2]] = stack
    return framed
