"""Whether drawing holds up training: time and number of operations of drawing, beside a step of training.

    scripts/run train python benchmarks/drawing.py --device cpu
    python benchmarks/drawing.py --device cuda --batch-size 128 --patch-px 160

Drawing is the choice of slices, painting, augmentation and corruption, as the config `t1w` has them, of
phantoms. Medians of several batches; on a GPU what was queued is waited for. Prints JSON lines.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from disyre.intensity import IntensityRule
from model_export.batches import draw_batches
from model_export.config import TrainingConfig
from model_export.dataset import SliceBank
from model_export.phantom import make_phantom
from model_export.training_loop import Trainee, train_step
from model_export.training_set import TrainingSet

_REPEATS: Final = 8
_AT_ONCE: Final = (1, 8)


class _Operations(TorchDispatchMode):
    """Counts operations on tensors: each is a launch, or a few, on a GPU."""

    n = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.n += 1
        return func(*args, **(kwargs or {}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--patch-px", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = replace(
        TrainingConfig.read("t1w"),
        device=options.device,
        batch_size=options.batch_size,
        patch_px=options.patch_px,
        compile=options.device != "cpu",
    )
    config = replace(config, corruption=replace(config.corruption, codebook=(0.1, 0.3, 0.5, 0.7, 0.9)))
    bank = SliceBank.of([make_phantom(1)], IntensityRule(), min_frame_px=options.patch_px)
    training = TrainingSet.of(bank, device=options.device)
    for at_once in _AT_ONCE:
        print(json.dumps(_measure(replace(config, batches_at_once=at_once), training)), flush=True)


def _measure(config: TrainingConfig, training: TrainingSet) -> dict[str, float]:
    """Drawing alone, and steps of training that draw as they need."""
    generator = torch.Generator(config.device).manual_seed(0)
    n = config.batches_at_once
    with _Operations() as operations:
        draw_batches(config, training, generator)
    drawing_s = _median_s(lambda: draw_batches(config, training, generator), config.device) / n
    trainee = Trainee.begin(config)

    def steps() -> None:
        for _ in range(n):
            train_step(config, training, trainee)

    step_s = _median_s(steps, config.device) / n
    return {
        "batches_at_once": n,
        "operations_a_batch": round(operations.n / n),
        "drawing_ms_a_batch": round(1e3 * drawing_s, 2),
        "step_ms_a_batch": round(1e3 * step_s, 2),
        "patches_a_s": round(config.batch_size / step_s),
    }


def _median_s(work: Callable[[], object], device: str) -> float:
    times = []
    for _ in range(_REPEATS + 1):
        begun = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
