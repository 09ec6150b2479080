"""Makes docs/images/corruption.png: slices of the example scan before and after synthetic anomalies.

scripts/run dev python scripts/make_corruption_pictures.py
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch
from jaxtyping import Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from disyre.modality import Modality
from model_export.config import CorruptionConfig, TrainingConfig
from model_export.corruption import corrupt
from model_export.dataset import INTENSITY_RULE, SliceBank, measure_codebook, read_scan
from model_export.training_set import recoloured

ROOT: Final = Path(__file__).parents[1]
_SLICES: Final = (52, 58, 64, 70, 76, 82)
_SHOWN: Final = 2
"""Of these slices, for each kind: those that changed most."""
_SEED: Final = 44
"""Of one in which lesion-like anomalies are bright and dark."""
_CHANGED: Final = 0.02
"""A pixel is in the mask if it differs by more, as for the gate of the network in training."""
_COLUMNS: Final = ("healthy", "corrupted", "mask", "difference")

Image: TypeAlias = Float32[np.ndarray, "row column"]


@dataclass(frozen=True, eq=False)
class Example:
    """One slice before and after, in [0, 1], front at the top."""

    healthy: Image
    corrupted: Image


def rows(bank: SliceBank) -> list[tuple[str, list[Example]]]:
    """Name and examples of each kind; lesion-like ones in each modality."""
    config = CorruptionConfig(codebook=measure_codebook(bank.coded, 5))
    found = [("FPI", _corrupted(bank, config.only("fpi"))), ("DAG", _corrupted(bank, config.only("dag")))]
    modalities: tuple[Modality, ...] = ("T1w", "T2w", "FLAIR")
    return found + [(f"lesion-like, {m}", _with_lesions(bank, m, config)) for m in modalities]


def _with_lesions(bank: SliceBank, modality: Modality, config: CorruptionConfig) -> list[Example]:
    of_modality = bank if modality == "T1w" else recoloured(bank, modality, seed=_SEED)
    lesions = TrainingConfig.read(modality.lower()).corruption.lesions
    alone = replace(config, p_clean=0, p_fpi=0, p_lesion=1, max_anomalies=2, lesions=lesions)
    return _corrupted(of_modality, alone)


def _corrupted(bank: SliceBank, config: CorruptionConfig) -> list[Example]:
    frames, inside = bank.frames(torch.tensor(_SLICES))
    patches = corrupt(frames, inside, config, torch.Generator().manual_seed(_SEED)).patches
    changed = (patches - frames).abs().sum(dim=(1, 2, 3))
    most = changed.argsort(descending=True)[:_SHOWN].sort().values
    return [_example(frames[n, 0].numpy(), patches[n, 0].numpy()) for n in most]


def _example(healthy: Image, corrupted: Image) -> Example:
    """A slice [i, j] without the empty frame around the brain."""
    kept = np.ix_(healthy.any(axis=1), healthy.any(axis=0))
    return Example(*(np.pad(image[kept], 3).T[::-1] for image in (healthy, corrupted)))


def draw(kinds: Sequence[tuple[str, list[Example]]], path: Path) -> None:
    """A row for each kind, and for each example in it the columns that are named above."""
    n_columns = _SHOWN * len(_COLUMNS)
    figure = Figure(figsize=(2.0 * n_columns, 2.25 * len(kinds)))
    axes = figure.subplots(len(kinds), n_columns, squeeze=False)
    for row, (name, examples) in zip(axes, kinds, strict=True):
        for number, example in enumerate(examples):
            _draw_example(row[number * len(_COLUMNS) :], example)
        row[0].set_ylabel(name, fontsize=15)
    for axis, title in zip(axes[0], _COLUMNS * _SHOWN, strict=True):
        axis.set_title(title, fontsize=15)
    figure.subplots_adjust(left=0.025, right=0.995, bottom=0.005, top=0.965, wspace=0.04, hspace=0.02)
    figure.savefig(path, dpi=100, pil_kwargs={"optimize": True})


def _draw_example(axes: Sequence[Axes], example: Example) -> None:
    """Healthy, corrupted, where they differ, and by how much: brighter red, darker blue."""
    difference = example.corrupted - example.healthy
    axes[0].imshow(example.healthy, cmap="gray", vmin=0, vmax=1)
    axes[1].imshow(example.corrupted, cmap="gray", vmin=0, vmax=1)
    axes[2].imshow(np.abs(difference) > _CHANGED, cmap="gray", vmin=0, vmax=1)
    axes[3].imshow(difference, cmap="RdBu_r", vmin=-0.5, vmax=0.5)
    for axis in axes[: len(_COLUMNS)]:
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(False)


if __name__ == "__main__":
    example = read_scan(ROOT / "examples" / "t1w.nii.gz")
    draw(rows(SliceBank.of([example], INTENSITY_RULE, min_frame_px=128)), ROOT / "docs/images/corruption.png")
