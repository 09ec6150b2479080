"""Held-back slices with lesions in them: runs are chosen by these, as a low error on DAG is not enough."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

from disyre.intensity import IntensityRule, measure_scale
from disyre.modality import Modality
from model_export.architecture import Network
from model_export.corruption import nearest_condition
from model_export.dataset import SliceBank
from model_export.evaluation.cases import Case
from model_export.evaluation.semi_synthetic import semi_synthetic_cases
from model_export.slice_file import opened

_SLICE_STEP: Final = 4
"""Every so many slices of a case are kept."""
_SEED: Final = 20_240_707
_BATCH: Final = 16


@dataclass(frozen=True, eq=False)
class LesionSlices:
    """Some slices of semi-synthetic cases."""

    coded: UInt8[Tensor, "slice i j"]
    """0 outside the brain, 1 to 255 is [0, 1] inside."""
    lesion: Bool[Tensor, "slice i j"]
    case: Int64[Tensor, " slice"]
    """Number of the case that a slice is of, rising from 0."""

    @classmethod
    def of(cls, cases: Iterable[Case], rule: IntensityRule) -> Self:
        """Cut slices out of cases, and scale them by a rule."""
        parts = [_slices(case, rule) for case in cases]
        coded, lesion = (np.concatenate(stacks) for stacks in zip(*parts, strict=True))
        lengths = torch.tensor([len(part[0]) for part in parts])
        number = torch.arange(len(parts)).repeat_interleave(lengths)
        return cls(torch.from_numpy(coded), torch.from_numpy(lesion), number)

    def to(self, device: str) -> Self:
        """The same slices on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("coded", "lesion", "case")}
        return replace(self, **moved)

    def save(self, path: Path) -> None:
        """Keep the slices in a file."""
        np.savez_compressed(
            path, coded=self.coded.numpy(), lesion=np.packbits(self.lesion.numpy()), case=self.case.numpy()
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with opened(path) as file:
            coded = torch.from_numpy(file["coded"])
            lesion = np.unpackbits(file["lesion"])[: coded.numel()].astype(np.bool_)
            return cls(coded, torch.from_numpy(lesion).reshape(coded.shape), torch.from_numpy(file["case"]))


def lesion_cases(bank: SliceBank, shapes: Path, modality: Modality, n: int) -> Iterator[Case]:
    """Lesions with real shapes in the scans of a bank, the same ones every time."""
    return semi_synthetic_cases(list(bank.scans()), shapes, modality, n, _SEED)


@torch.no_grad()
def measure_lesions(network: Network, slices: LesionSlices, severities: Sequence[float]) -> dict[str, float]:
    """Mean over cases of the average precision of the mean |x - x0| over some severities, in the brain."""
    device = slices.coded.device
    told = nearest_condition(torch.tensor(severities, device=device))
    scores = torch.zeros(slices.coded.shape, device=device)
    for part in torch.split(torch.arange(len(slices.coded), device=device), _BATCH):
        x = slices.coded[part][:, None].float() / 255
        for condition in told:
            x0 = network(x, condition.expand(len(x)))
            scores[part] += (x - x0).abs()[:, 0] / len(told)
    inside = slices.coded > 0
    found = [
        average_precision(scores[of][inside[of]], slices.lesion[of][inside[of]])
        for of in (slices.case == n for n in range(int(slices.case[-1]) + 1))
    ]
    return {"lesion_ap": float(torch.stack(found).mean())}


def average_precision(scores: Float32[Tensor, " voxel"], is_lesion: Bool[Tensor, " voxel"]) -> Tensor:
    """Area under the precision-recall curve by steps; ties are taken in any order."""
    hit = is_lesion[scores.argsort(descending=True)].double()
    precision = hit.cumsum(0) / torch.arange(1, len(hit) + 1, device=hit.device)
    return (precision * hit).sum() / hit.sum().clamp(min=1)


def _slices(case: Case, rule: IntensityRule) -> tuple[np.ndarray, np.ndarray]:
    """[slice, i, j] of the case's image, coded, and of its lesion."""
    scale = measure_scale(case.volume.voxels, case.brain_mask, rule)
    coded = np.rint(255 * scale.normalize_brain(case.volume.voxels, case.brain_mask)).astype(np.uint8)
    kept = (np.moveaxis(array, 2, 0)[::_SLICE_STEP] for array in (coded, case.lesion & case.brain_mask))
    first, second = kept
    return np.ascontiguousarray(first), np.ascontiguousarray(second)
