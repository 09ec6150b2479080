"""A bar on a terminal or in a notebook that shows how far a job is; the only thing here that needs rich."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from disyre.client.job_documents import JobDocument


class JobBar:
    """The bar of one scan."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = name
        self._task = progress.add_task(escape(name), total=1.0)

    def show(self, job: JobDocument) -> None:
        """Show a job as it is now."""
        fraction = 1.0 if job.has_succeeded else job.progress.fraction if job.progress else 0.0
        stage = job.progress.stage if job.progress else job.state
        place = f", place {job.queue_position}" if job.queue_position else ""
        self._progress.update(
            self._task, completed=fraction, description=escape(f"{self._name}: {stage}{place}")
        )


@contextmanager
def job_bar(name: str, console: Console | None = None) -> Iterator[JobBar]:
    """A bar for the length of a block; what it showed last stays.

    Without a `console` it is on stderr, if that is a terminal or a notebook, and else nowhere.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console or _stderr()) as progress:
        yield JobBar(progress, name)


def _stderr() -> Console:
    console = Console(stderr=True)
    console.quiet = not (console.is_terminal or console.is_jupyter)
    return console
