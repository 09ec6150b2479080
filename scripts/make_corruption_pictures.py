"""Makes docs/images/corruption.png: patches of the example scan before and after synthetic anomalies.

scripts/run dev python scripts/make_corruption_pictures.py
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import matplotlib as mpl
import torch
from matplotlib import pyplot as plt

from disyre.modality import Modality
from model_export.config import CorruptionConfig, TrainingConfig
from model_export.corruption import corrupt
from model_export.dataset import INTENSITY_RULE, SliceBank, measure_codebook, read_scan
from model_export.training_set import recoloured

ROOT: Final = Path(__file__).parents[1]
_SLICES: Final = (45, 55, 64, 72, 80, 88)
_SEED: Final = 29


def rows(bank: SliceBank) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """Name, healthy and corrupted patches of each kind; lesion-like ones in each modality."""
    config = CorruptionConfig(codebook=measure_codebook(bank.coded, 5))
    found = [("FPI", *_corrupted(bank, config.only("fpi"))), ("DAG", *_corrupted(bank, config.only("dag")))]
    for modality in ("T1w", "T2w", "FLAIR"):
        found.append((f"lesion-like, {modality}", *_with_lesions(bank, modality, config)))
    return found


def _with_lesions(
    bank: SliceBank, modality: Modality, config: CorruptionConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    of_modality = bank if modality == "T1w" else recoloured(bank, modality, seed=_SEED)
    lesions = TrainingConfig.read(modality.lower()).corruption.lesions
    alone = replace(config, p_clean=0, p_fpi=0, p_lesion=1, max_anomalies=2, lesions=lesions)
    return _corrupted(of_modality, alone)


def _corrupted(bank: SliceBank, config: CorruptionConfig) -> tuple[torch.Tensor, torch.Tensor]:
    frames, inside = bank.frames(torch.tensor(_SLICES))
    corruption = corrupt(frames, inside, config, torch.Generator().manual_seed(_SEED))
    return frames[:, 0], corruption.patches[:, 0]


def draw(pairs: Sequence[tuple[str, torch.Tensor, torch.Tensor]], path: Path) -> None:
    """Two rows for each kind: healthy, and with anomalies."""
    mpl.use("Agg")
    figure, axes = plt.subplots(2 * len(pairs), len(_SLICES), figsize=(9, 3.3 * len(pairs)))
    for axis in axes.flat:
        axis.set_axis_off()
    for number, (name, healthy, corrupted) in enumerate(pairs):
        for row, images in ((2 * number, healthy), (2 * number + 1, corrupted)):
            for axis, image in zip(axes[row], images, strict=True):
                axis.imshow(image.T.flip(0), cmap="gray", vmin=0, vmax=1)
        axes[2 * number, 0].set_title(name, loc="left", fontsize=10)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.005, top=0.985, wspace=0.02, hspace=0.2)
    figure.savefig(path, dpi=72, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    example = read_scan(ROOT / "examples" / "t1w.nii.gz")
    draw(rows(SliceBank.of([example], INTENSITY_RULE, min_frame_px=128)), ROOT / "docs/images/corruption.png")
