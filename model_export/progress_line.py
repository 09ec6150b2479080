"""What a run shows of itself while it reads scans and trains: bars in a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from model_export.config import TrainingConfig

T = TypeVar("T")

_SHOWN: Final = ("loss", "lesion_ap", "dag_mse_ratio", "fpi_mse_ratio")
_PLAIN_LINE_S: Final = 10.0
"""Between two plain lines about things of one kind; the first and the last thing are told whenever."""
_MEASURED_S: Final = 20.0
"""Of training, before it is said how long the rest takes at this rate; the first batches are slow."""
_LONG_S: Final = 3600.0
"""A run on a processor that takes longer is told so."""


@dataclass
class ProgressLine:
    """Shows reports as one line of progress."""

    config: TrainingConfig
    progress: Progress
    is_shown: bool = True

    def __post_init__(self) -> None:
        self.task = self.progress.add_task("training", total=1.0)
        self.before = (0.0, 0.0)
        self.shown: dict[str, float] = {}
        self.first: tuple[int, float] | None = None
        self.is_rate_told = not self.is_shown or self.config.device != "cpu"

    def step(self, patches: int, elapsed_s: float) -> None:
        """Say once, of a long run on a processor, how long it takes at the first rate that is measured."""
        if self.is_rate_told:
            return
        first_patches, first_s = self.first = self.first or (patches, elapsed_s)
        if elapsed_s - first_s < _MEASURED_S:
            return
        self.is_rate_told = True
        rate = (patches - first_patches) / (elapsed_s - first_s)
        if (left_s := self._left_s(patches, elapsed_s, rate)) > _LONG_S:
            n_left = self.config.total_patches - patches
            self._tell(
                f"{n_left:,} patches are left; at the first {rate:.2g} patches/s that is "
                f"{time_in_words(left_s)} on this processor. Ctrl-C ends a run whole, "
                "and --resume goes on with it."
            )

    def _left_s(self, patches: float, elapsed_s: float, rate: float) -> float:
        """Of the run, at a rate in patches a second; its limit of time, if it has one, may come first."""
        left_s = max(self.config.total_patches - patches, 0) / max(rate, 1e-9)
        limit_s = self.config.max_train_s
        return min(left_s, max(limit_s - elapsed_s, 0)) if limit_s > 0 else left_s

    def _tell(self, line: str) -> None:
        self.progress.console.print(line, soft_wrap=True, highlight=False)

    def __call__(self, report: dict[str, float]) -> None:
        """Show a report; figures of the last validation stay."""
        patches, seconds = report["patches"], report["elapsed_s"]
        rate = (patches - self.before[0]) / max(seconds - self.before[1], 1e-3)
        self.before = (patches, seconds)
        self.shown |= {name: report[name] for name in _SHOWN if name in report}
        of_all = f"{patches:,.0f} of {self.config.total_patches:,} patches"
        parts = [
            of_all,
            f"{rate:.0f} patches/s",
            *(f"{name} {value:.4f}" for name, value in self.shown.items()),
        ]
        self.progress.update(
            self.task, completed=self.config.progress(patches, seconds), description="  ".join(parts)
        )
        if not self.progress.console.is_terminal:
            new = [f"{name} {report[name]:.4f}" for name in _SHOWN if name in report]
            left = time_in_words(self._left_s(patches, seconds, rate))
            self._tell("  ".join([of_all, f"{seconds:.0f} s, {left} left", f"{rate:.0f} patches/s", *new]))


def time_in_words(seconds: float) -> str:
    """About how long.

    >>> time_in_words(44), time_in_words(700), time_in_words(41_000), time_in_words(2_000_000)
    ('44 s', '12 min', '11.4 h', '23.1 days')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


@contextmanager
def progress_line(config: TrainingConfig, *, is_shown: bool) -> Iterator[ProgressLine]:
    """A line for the length of a block."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not (is_shown and console.is_terminal)) as progress:
        yield ProgressLine(config, progress, is_shown)


@dataclass
class PreparationLine:
    """Shows how far the reading of scans has come."""

    progress: Progress
    should_stop: Callable[[], bool] = lambda: False
    now: Callable[[], float] = time.monotonic
    """Seconds."""

    def each(self, things: Iterable[T], what: str, n: int) -> Iterator[T]:
        """The same things; each is told when the next is asked for, which is when something was made of it.

        `what` names them, `n` is how many there are. Raises KeyboardInterrupt between two of them if the
        reading is to stop.
        """
        task = self.progress.add_task(what, total=n)
        start = told_at = self.now()
        for number, thing in enumerate(things, start=1):
            yield thing
            self.progress.update(task, completed=number)
            now = self.now()
            if number in (1, n) or now - told_at >= _PLAIN_LINE_S:
                told_at = now
                self._tell(f"{what}: {number} of {n}, {now - start:.0f} s")
            if self.should_stop():
                raise KeyboardInterrupt

    def _tell(self, line: str) -> None:
        if not self.progress.console.is_terminal:
            self.progress.console.print(line, soft_wrap=True, highlight=False)


@contextmanager
def preparation_line(should_stop: Callable[[], bool]) -> Iterator[PreparationLine]:
    """A line for each kind of thing that is read, for the length of a block."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield PreparationLine(progress, should_stop)
