"""What a run shows of itself while it trains: one line in a terminal, a line for each report elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from model_export.config import TrainingConfig

_SHOWN = ("loss", "lesion_ap", "dag_mse_ratio", "fpi_mse_ratio")


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
