"""Restoring the slices of a brain: whole or through windows, a few at a time."""

import math
import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Bool

from disyre.model_package import Mode, ScanSettings
from disyre.progress import OnProgress, Progress
from disyre.restoration import (
    Restoration,
    RestorationLoop,
    Restorer,
    Step,
    restore_ensemble,
    restore_stepwise,
)
from disyre.types import Batch, Mask, Slices
from disyre.windows import BrainBox, WindowGrid

BEGINS: Final = 0.05
ENDS: Final = 0.90
"""Shares of a job's progress at which the restoration begins and ends."""
_LOOPS: Final[dict[Mode, RestorationLoop]] = {"ensemble": restore_ensemble, "stepwise": restore_stepwise}


def box_to_restore(model_mask: Mask, stride: int, settings: ScanSettings) -> BrainBox:
    """The brain's box, with edges at which both the network (`stride`) and the windows end."""
    if settings.windows is None:
        return BrainBox.around(model_mask, stride=stride)
    window = settings.windows
    return BrainBox.around(model_mask, stride=math.lcm(stride, window.stride), least=window.window)


def restore_slices(
    restorer: Restorer,
    slices: Slices,
    settings: ScanSettings,
    *,
    batch_size: int,
    cut_to: int | None = None,
    on_progress: OnProgress,
) -> tuple[Slices, Slices]:
    """Restored slices and their residual.

    `batch_size` is the number of slices, or windows, of one network call; `on_progress` is called after each.
    Whole slices of one call are cut to what there is of the brain in them, at multiples of `cut_to`, if it is
    given; the slices then have to have edges at such multiples.
    """
    edges = (slices.shape[1], slices.shape[2])
    windows = None
    if settings.windows is not None:
        windows = WindowGrid.over(edges, window=settings.windows.window, stride=settings.windows.stride)
        cut_to = None
    batch = slices[:, np.newaxis] if windows is None else windows.cut(slices)
    restored, residual = _restore_batches(restorer, batch, settings, batch_size, cut_to, on_progress)
    if settings.foreground_weight:
        residual *= (batch > 0).mean(axis=(1, 2, 3), keepdims=True, dtype=np.float32)
    if windows is None:
        return restored[:, 0], residual[:, 0]
    return windows.blend(restored), windows.blend(residual)


def _restore_batches(
    restorer: Restorer,
    batch: Batch,
    settings: ScanSettings,
    batch_size: int,
    cut_to: int | None,
    on_progress: OnProgress,
) -> tuple[Batch, Batch]:
    """Run the loop over a few slices at a time, so that memory does not grow with the scan."""
    restored, residual = np.zeros_like(batch), np.zeros_like(batch)
    starts = range(0, len(batch), batch_size)
    report = _StepReport(len(starts) * len(settings.severities), on_progress)
    for start in starts:
        few = slice(start, start + batch_size)
        part = (few, slice(None), *(_inside(batch[few], cut_to) if cut_to else (slice(None), slice(None))))
        done: Restoration = _LOOPS[settings.mode](
            restorer,
            np.ascontiguousarray(batch[part]),
            settings.severities,
            told_severities=settings.told_severities,
            size_of=np.abs if settings.emphasis is None else settings.emphasis.size,
            on_step=report,
        )
        restored[part], residual[part] = done.restored, done.residual
    return restored, residual


def _inside(batch: Batch, stride: int) -> tuple[slice, slice]:
    """Rows and columns of a batch that hold all of the brain in it, from and to multiples of `stride`."""
    rows, columns = (np.asarray(batch.any(axis=axes)) for axes in ((0, 1, 3), (0, 1, 2)))
    return _span(rows, stride), _span(columns, stride)


def _span(is_brain: Bool[np.ndarray, " n"], stride: int) -> slice:
    """From the first to the last, widened to multiples of `stride`; the first stride, if there is none."""
    places = np.flatnonzero(is_brain)
    first, last = (int(places[0]), int(places[-1])) if places.size else (0, 0)
    return slice(first // stride * stride, (last // stride + 1) * stride)


@dataclass
class _StepReport:
    """Turns the steps of many batches into the progress of one scan."""

    steps: int
    on_progress: OnProgress
    step: int = 0
    start: float = field(default_factory=time.perf_counter)

    def __call__(self, step: Step) -> None:
        self.step += 1
        share = self.step / self.steps
        eta_s = (time.perf_counter() - self.start) * (1 / share - 1)
        fraction = BEGINS + (ENDS - BEGINS) * share
        self.on_progress(
            Progress(
                stage="restoring", step=self.step, steps=self.steps, fraction=fraction, eta_s=round(eta_s, 1)
            )
        )
