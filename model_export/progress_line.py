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


@dataclass
class ProgressLine:
    """Shows reports as one line of progress."""

    config: TrainingConfig
    progress: Progress

    def __post_init__(self) -> None:
        self.task = self.progress.add_task("training", total=1.0)
        self.before = (0.0, 0.0)
        self.shown: dict[str, float] = {}

    def __call__(self, report: dict[str, float]) -> None:
        """Show a report; figures of the last validation stay."""
        patches, seconds = report["patches"], report["elapsed_s"]
        rate = (patches - self.before[0]) / max(seconds - self.before[1], 1e-3)
        self.before = (patches, seconds)
        self.shown |= {name: report[name] for name in _SHOWN if name in report}
        parts = [f"{rate:.0f} patches/s", *(f"{name} {value:.4f}" for name, value in self.shown.items())]
        self.progress.update(
            self.task, completed=self.config.progress(patches, seconds), description="  ".join(parts)
        )
        if not self.progress.console.is_terminal:
            new = [f"{name} {report[name]:.4f}" for name in _SHOWN if name in report]
            line = f"{patches:.0f} patches, {seconds:.0f} s  {rate:.0f} patches/s  " + "  ".join(new)
            self.progress.console.print(line, soft_wrap=True)


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
        yield ProgressLine(config, progress)


@dataclass
class PreparationLine:
    """Shows how far the reading of scans has come."""

    progress: Progress
    now: Callable[[], float] = time.monotonic
    """Seconds."""

    def each(self, things: Iterable[T], what: str, n: int) -> Iterator[T]:
        """The same things; each is told when the next is asked for, which is when something was made of it.

        `what` names them, `n` is how many there are.
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

    def _tell(self, line: str) -> None:
        if not self.progress.console.is_terminal:
            self.progress.console.print(line, soft_wrap=True, highlight=False)


@contextmanager
def preparation_line() -> Iterator[PreparationLine]:
    """A line for each kind of thing that is read, for the length of a block."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield PreparationLine(progress)
