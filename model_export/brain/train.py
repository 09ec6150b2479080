"""Training of the brain network: it goes on from its last checkpoint, until its time is over.

    python -m model_export.brain.train FOLDER_OF_LABEL_MAPS RUN --seconds 7200

The learning rate falls over the time that the whole training has, so that a run that is moved to another
machine ends where it would have ended. Two label maps are kept out, for validation.
"""

import argparse
import json
import logging
import math
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from model_export.brain.acquisition import Head
from model_export.brain.heads import ONE_WITHOUT_HEAD, synthesize
from model_export.brain.label_maps import LabelMap, read_label_maps
from model_export.brain.network import BrainNet

logger = logging.getLogger(__name__)

HELD_OUT: Final = 2
"""Label maps, the last by name, that are not trained on."""
_VALIDATION_SEED: Final = 10**9
_N_VALIDATION: Final = 12
_BATCH: Final = 2
_SOFTNESS: Final = 1000.0
"""Voxels in Dice that let the loss of an image without a brain fall gradually."""
PEAK_RATE: Final = 2e-3
_WARM_UP: Final = 0.02
"""Share of the training in which the learning rate rises."""
_EMA: Final = 0.998
_MIRRORED_AFTER: Final = 8
"""Heads between one and its mirror image."""
_SAVE_EVERY_S: Final = 120.0
_VALIDATE_EVERY_S: Final = 600.0


class Heads(IterableDataset[tuple[Tensor, Tensor]]):
    """An endless row of heads, from a seed on; each comes again, somewhat later, as its mirror image.

    Making heads takes about as long as training with them.
    """

    def __init__(self, maps: list[LabelMap], first_seed: int) -> None:
        self.maps = maps
        self.first_seed = first_seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        torch.set_num_threads(1)
        seed = self.first_seed
        earlier: deque[Head] = deque()
        while True:
            head = synthesize(self.maps, seed)
            earlier.append(head)
            yield head.image[None], head.brain[None]
            seed += 1
            if len(earlier) > _MIRRORED_AFTER:
                head = earlier.popleft()
                yield head.image[None].flip(1), head.brain[None].flip(1)


def loss_of(logits: Tensor, brain: Tensor) -> Tensor:
    """Cross entropy and soft Dice."""
    logits = logits.float()
    entropy = functional.binary_cross_entropy_with_logits(logits, brain)
    likely = torch.sigmoid(logits).flatten(1)
    truth = brain.flatten(1)
    dice = (2 * (likely * truth).sum(1) + _SOFTNESS) / (likely.sum(1) + truth.sum(1) + _SOFTNESS)
    return entropy + (1 - dice).mean()


def dice_of(a: Tensor, b: Tensor) -> float:
    """Dice's coefficient of two masks."""
    return float(2 * (a & b).sum() / max(1, int(a.sum() + b.sum())))


def learning_rate(share: float, peak: float = PEAK_RATE) -> float:
    """At a share of the training: linear warm-up to the peak, then half a cosine."""
    if share < _WARM_UP:
        return peak * (0.02 + 0.98 * share / _WARM_UP)
    return peak * (0.005 + 0.995 * (0.5 + 0.5 * math.cos(math.pi * min(1.0, share))))


def exported_weights(path: Path) -> dict[str, Tensor]:
    """The weights in an exported network, by the names that they have here."""
    graph = onnx.load(path).graph
    known = set(BrainNet().state_dict())
    named = {each.name.removeprefix("network."): each for each in graph.initializer}
    return {name: torch.from_numpy(numpy_helper.to_array(named[name]).copy()) for name in known}


class Training:
    """A run: the network, its average, and how far it is."""

    def __init__(
        self, run: Path, total_s: float, warm_start: Path | None = None, peak_rate: float = PEAK_RATE
    ) -> None:
        self.run = run
        self.total_s = total_s
        self.peak_rate = peak_rate
        self.network = BrainNet()
        self.average = BrainNet()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=peak_rate, weight_decay=1e-4)
        self.step, self.trained_s = 0, 0.0
        run.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            self._load(torch.load(self.checkpoint, weights_only=True))
        elif warm_start is not None:
            self.network.load_state_dict(exported_weights(warm_start))
        if self.step == 0:
            self.average.load_state_dict(self.network.state_dict())

    @property
    def checkpoint(self) -> Path:
        """Where all is kept that is needed to go on."""
        return self.run / "checkpoint.pt"

    def _load(self, state: dict[str, object]) -> None:
        self.network.load_state_dict(state["network"])  # type: ignore[arg-type]
        self.average.load_state_dict(state["average"])  # type: ignore[arg-type]
        self.optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        self.step, self.trained_s = int(state["step"]), float(state["trained_s"])  # type: ignore[call-overload, arg-type]

    @property
    def rate(self) -> float:
        """The learning rate now."""
        return learning_rate(self.trained_s / self.total_s, self.peak_rate)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "trained_s": self.trained_s,
        }
        new = self.checkpoint.with_suffix(".new")
        torch.save(state, new)
        new.replace(self.checkpoint)

    def update(self, image: Tensor, brain: Tensor) -> float:
        """One step; the loss."""
        started = time.monotonic()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported()):
            logits = self.network(image)
        loss = loss_of(logits, brain)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(_EMA, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        self.trained_s += time.monotonic() - started
        return loss.item()

    @torch.no_grad()
    def validate(self, maps: list[LabelMap]) -> dict[str, float]:
        """Dice of heads of label maps that were kept out."""
        scores = []
        for number in range(_N_VALIDATION):
            head = synthesize(maps, _VALIDATION_SEED + ONE_WITHOUT_HEAD * number + 1)
            found = self.average(head.image[None, None])[0, 0] > 0
            scores.append(dice_of(found, head.brain > 0))
        return {"dice": sum(scores) / len(scores), "least_dice": min(scores)}

    def log(self, **facts: float) -> None:
        """Add a line to the run's metrics, and show it."""
        line = json.dumps({"step": self.step, "trained_s": round(self.trained_s), **facts})
        with (self.run / "metrics.jsonl").open("a") as file:
            file.write(line + "\n")
        logger.info("%s", line)


def main() -> None:
    """Train until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("label_maps", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seconds", type=float, default=7200.0, help="of training, all sittings together")
    parser.add_argument("--warm-start", type=Path, help="model.onnx with whose weights to begin")
    parser.add_argument(
        "--peak-rate", type=float, default=PEAK_RATE, help="of learning; less after a warm start"
    )
    parser.add_argument("--first-seed", type=int, default=1, help="of the heads; another after a warm start")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    training = Training(options.run, options.seconds, options.warm_start, options.peak_rate)
    maps = read_label_maps(sorted(options.label_maps.glob("*.nii.gz")))
    seen = _BATCH * training.step // 2  # half of them are mirror images
    heads = Heads(maps[:-HELD_OUT], first_seed=options.first_seed + seen)
    _train(training, DataLoader(heads, batch_size=_BATCH, num_workers=1, prefetch_factor=4), maps[-HELD_OUT:])


def _train(training: Training, loader: DataLoader[tuple[Tensor, Tensor]], held_out: list[LabelMap]) -> None:
    saved = validated = time.monotonic()
    losses: list[float] = []
    for image, brain in loader:
        losses.append(training.update(image, brain))
        now = time.monotonic()
        is_over = training.trained_s >= training.total_s
        if now - saved > _SAVE_EVERY_S or is_over:
            training.save()
            training.log(loss=sum(losses) / len(losses), rate=training.rate)
            saved, losses = now, []
        if now - validated > _VALIDATE_EVERY_S or is_over:
            training.log(**training.validate(held_out))
            validated = now
        if is_over:
            return


if __name__ == "__main__":
    main()
