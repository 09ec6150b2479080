"""How well held-back slices are restored: corrupted once, always the same way, in frames as at inference."""

from dataclasses import dataclass
from typing import Final, Self

import torch
from torch import Tensor

from model_export.architecture import Network
from model_export.augmentation import Frames
from model_export.config import CorruptionConfig, PublishedKind, TrainingConfig
from model_export.corruption import Corruption, corrupt, nearest_condition
from model_export.dataset import SliceBank
from model_export.lesion_slices import LesionSlices, measure_lesions
from model_export.run_folder import RunFolder
from model_export.scan_settings import SEVERITIES

_SEED: Final = 20_240_706
"""Fixed, so that figures of different runs on the same scans can be compared."""
_BATCH: Final = 8
"""Slices of one network call."""

PUBLISHED: Final[tuple[PublishedKind, ...]] = ("dag", "fpi")


@dataclass(frozen=True, eq=False)
class ValidationSet:
    """Held-back slices, and the same with published synthetic anomalies."""

    healthy: Frames
    corrupted: dict[PublishedKind, Corruption]
    lesions: LesionSlices | None = None

    @classmethod
    def of(
        cls,
        bank: SliceBank,
        n_slices: int,
        config: CorruptionConfig,
        *,
        lesions: LesionSlices | None = None,
    ) -> Self:
        """Corrupt slices spread evenly over the scans of a bank; `config` must have a codebook."""
        frames, inside = bank.frames(bank.evenly(n_slices).to(bank.coded.device))
        # The box of an anomaly takes its texture from a random other slice.
        corrupted = {}
        for number, kind in enumerate(PUBLISHED):
            generator = torch.Generator(frames.device).manual_seed(_SEED + number)
            corrupted[kind] = corrupt(frames, inside, config.only(kind), generator)
        return cls(frames, corrupted, lesions)


def read_validation(folder: RunFolder, config: TrainingConfig) -> ValidationSet:
    """What a run is validated on, on its device."""
    held_back = SliceBank.load(folder.held_back_cache).to(config.device)
    lesions = LesionSlices.load(folder.lesion_cache) if folder.lesion_cache.is_file() else None
    return ValidationSet.of(
        held_back,
        config.n_validation_slices,
        config.corruption,
        lesions=None if lesions is None else lesions.to(config.device),
    )


def measure(network: Network, held_back: ValidationSet) -> dict[str, float]:
    """Squared error of restored slices, divided by that of doing nothing, for each kind; less is better.

    The network is told the true severity. `lesion_ap` is how well lesions
    are found. `clean_mae` is what it changes in healthy slices at severity 0.
    """
    figures = {}
    for kind, corruption in held_back.corrupted.items():
        restored = run(network, corruption.patches, nearest_condition(corruption.severity))
        error = (restored - held_back.healthy).square().mean()
        nothing = (corruption.patches - held_back.healthy).square().mean()
        figures[f"{kind}_mse_ratio"] = float(error / nothing)
    clean = nearest_condition(torch.zeros(len(held_back.healthy), device=held_back.healthy.device))
    changed = (run(network, held_back.healthy, clean) - held_back.healthy).abs()
    figures["clean_mae"] = float(changed[held_back.healthy > 0].mean())
    if held_back.lesions is not None:
        figures |= measure_lesions(network, held_back.lesions, SEVERITIES)
    return figures


@torch.no_grad()
def run(network: Network, frames: Frames, condition: Tensor) -> Frames:
    """Restore frames a few at a time, in fp32."""
    parts = zip(torch.split(frames, _BATCH), torch.split(condition, _BATCH), strict=True)
    return torch.cat([network(x, k) for x, k in parts])
