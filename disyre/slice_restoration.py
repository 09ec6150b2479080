"""Restoring the slices of a brain: whole or through windows, a few at a time."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from jaxtyping import Bool, Int64

from disyre.course import Course
from disyre.model_manifest import Mode, ScanSettings
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
    course: Course,
) -> tuple[Slices, Slices]:
    """Restored slices and their residual.

    `batch_size` is the number of slices, or windows, of one network call; the `course` is told of each.
    Whole slices of one call are cut to what there is of the brain in them, at multiples of `cut_to`, if it is
    given; the slices then have to have edges at such multiples.
    """
    edges = (slices.shape[1], slices.shape[2])
    windows = None
    if settings.windows is not None:
        windows = WindowGrid.over(edges, window=settings.windows.window, stride=settings.windows.stride)
        cut_to = None
    batch = slices[:, np.newaxis] if windows is None else windows.cut(slices)
    restored, residual = _restore_batches(restorer, batch, settings, batch_size, cut_to, course)
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
    course: Course,
) -> tuple[Batch, Batch]:
    """Run the loop over a few slices at a time, so that memory does not grow with the scan."""
    restored, residual = np.zeros_like(batch), np.zeros_like(batch)
    parts = [_part(batch, start, batch_size, cut_to) for start in range(0, len(batch), batch_size)]
    n_calls = len(settings.severities)
    course.begin("restoring", steps=len(parts) * n_calls)
    report = _StepReport(course, n_calls, work=np.cumsum([0, *(batch[part].size for part in parts)]))
    for number, part in enumerate(parts):
        done: Restoration = _LOOPS[settings.mode](
            restorer,
            np.ascontiguousarray(batch[part]),
            settings.severities,
            told_severities=settings.told_severities,
            size_of=np.abs if settings.emphasis is None else settings.emphasis.size,
            on_step=partial(report, number),
        )
        restored[part], residual[part] = done.restored, done.residual
    return restored, residual


def _part(batch: Batch, start: int, n: int, cut_to: int | None) -> tuple[slice, ...]:
    """Where `n` slices lie in a batch, and what there is of the brain in them."""
    few = slice(start, start + n)
    return few, slice(None), *(_inside(batch[few], cut_to) if cut_to else (slice(None), slice(None)))


def _inside(batch: Batch, stride: int) -> tuple[slice, slice]:
    """Rows and columns of a batch that hold all of the brain in it, from and to multiples of `stride`."""
    rows, columns = (np.asarray(batch.any(axis=axes)) for axes in ((0, 1, 3), (0, 1, 2)))
    return _span(rows, stride), _span(columns, stride)


def _span(is_brain: Bool[np.ndarray, " n"], stride: int) -> slice:
    """From the first to the last, widened to multiples of `stride`; the first stride, if there is none."""
    places = np.flatnonzero(is_brain)
    first, last = (int(places[0]), int(places[-1])) if places.size else (0, 0)
    return slice(first // stride * stride, (last // stride + 1) * stride)


@dataclass(frozen=True, eq=False)
class _StepReport:
    """Turns the steps of many batches into those of one scan; a batch of larger slices is more work."""

    course: Course
    n_calls: int
    """For each batch."""
    work: Int64[np.ndarray, " parts_and_1"]
    """Voxels before each batch, and in all of them."""

    def __call__(self, number: int, step: Step) -> None:
        """A step of the batch of a number (from 0) is done."""
        before, after = self.work[number : number + 2]
        done = before + (after - before) * step.number / step.total
        self.course.step(number * self.n_calls + step.number, share=float(done / self.work[-1]))
