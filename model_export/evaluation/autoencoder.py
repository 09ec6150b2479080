"""A small autoencoder of healthy slices: what it cannot copy through its bottleneck is called anomalous.

The oldest of the learnt methods (Baur et al. 2021, "Autoencoders for unsupervised anomaly segmentation"), as
something to compare with: 2 mm, axial slices, trained in a minute or two.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from disyre.intensity import IntensityRule
from disyre.preparation import Preparation
from disyre.types import Slices, Voxels
from disyre.windows import BrainBox
from model_export.dataset import Scan
from model_export.evaluation.cases import Case
from model_export.evaluation.method import Method

_SPACING_MM: Final = 2.0
_STRIDE: Final = 8
"""Of the bottleneck, in pixels."""
_FRAME: Final = 112
"""Edge of the frames that it is trained on, in pixels."""
_WIDTHS: Final = (32, 64)
_BOTTLENECK: Final = 8
"""Channels at an eighth of the resolution."""
_BATCH: Final = 16
_STEPS: Final = 400
_LEARNING_RATE: Final = 2e-3


class Autoencoder(nn.Module):
    """Convolutions down to a narrow bottleneck at an eighth of the resolution, and up again."""

    def __init__(self) -> None:
        super().__init__()
        narrow, wide = _WIDTHS
        self.layers = nn.Sequential(
            nn.Conv2d(1, narrow, 8, stride=4, padding=2),
            nn.SiLU(),
            nn.Conv2d(narrow, wide, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(wide, _BOTTLENECK, 1),
            nn.Conv2d(_BOTTLENECK, wide, 1),
            nn.SiLU(),
            nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.ConvTranspose2d(narrow, 1, 8, stride=4, padding=2),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Copy slices, [batch, 1, height, width], edges multiples of 8."""
        copied: Tensor = self.layers(x)
        return copied


def autoencoder_method(scans: Sequence[Scan], kept: Path, *, steps: int = _STEPS) -> Method:
    """An autoencoder of healthy scans; `kept` is a file for its weights, used again for the same scans."""
    network = Autoencoder()
    facts = [str(network), steps, *(_digest(scan) for scan in scans)]
    key = hashlib.sha256(repr(facts).encode()).hexdigest()
    found = torch.load(kept, weights_only=True) if kept.is_file() else {}
    if found.get("key") == key:
        network.load_state_dict(found["network"])
    else:
        train(network, scans, steps=steps)
        torch.save({"key": key, "network": network.state_dict()}, kept)
    return Method("autoencoder", lambda case: residual(network, case))


def train(network: Autoencoder, scans: Iterable[Scan], *, steps: int, seed: int = 0) -> float:
    """Fit an autoencoder to slices in random order, some mirrored; returns the last loss."""
    slices = torch.from_numpy(np.concatenate([_slices(scan)[2] for scan in scans]))[:, None]
    generator = torch.Generator().manual_seed(seed)
    _initialise(network, generator)
    optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=_LEARNING_RATE, total_steps=steps)
    loss = torch.tensor(float("nan"))
    for _ in range(steps):
        batch = slices[torch.randint(len(slices), (_BATCH,), generator=generator)]
        if torch.rand(1, generator=generator) < 0.5:
            batch = batch.flip(2)
        loss = (network(batch) - batch).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval().requires_grad_(False)
    return float(loss.detach())


def residual(network: Autoencoder, case: Case) -> Voxels:
    """|x − copy of x| at 2 mm, on the grid of the case."""
    prepared, box, slices = _slices(Scan(case.name, case.volume, case.brain_mask))
    with torch.no_grad():
        parts = torch.split(torch.from_numpy(slices)[:, None], _BATCH)
        copied = torch.cat([network(part) for part in parts])[:, 0].numpy()
    return prepared.to_scan(box.paste(np.abs(slices - copied)))


def _slices(scan: Scan) -> tuple[Preparation, BrainBox, Slices]:
    prepared = Preparation.of(scan.volume, scan.brain_mask, IntensityRule(), spacing_mm=_SPACING_MM)
    box = BrainBox.around(prepared.mask, stride=_STRIDE, least=_FRAME)
    return prepared, box, np.ascontiguousarray(box.cut(prepared.voxels))


def _initialise(network: Autoencoder, generator: torch.Generator) -> None:
    """Weights that depend on nothing but the generator."""
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter, generator=generator)
        else:
            nn.init.zeros_(parameter)


def _digest(scan: Scan) -> str:
    return hashlib.sha256(scan.volume.voxels.tobytes()).hexdigest()
