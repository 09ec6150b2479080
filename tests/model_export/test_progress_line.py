"""What is told while scans are read, where no terminal is."""

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress

from model_export.progress_line import PreparationLine


class Clock:
    """Stands still until it is told how late it is."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def told(seconds_each: float, n: int) -> list[str]:
    """The plain lines about `n` scans, each of which takes so long."""
    text, clock = StringIO(), Clock()
    line = PreparationLine(Progress(console=Console(file=text), disable=True), now=clock)
    for _ in line.each(range(n), "scans", n):
        clock.s += seconds_each
    return text.getvalue().splitlines()


def test_things_go_through_as_they_are() -> None:
    line = PreparationLine(Progress(console=Console(file=StringIO()), disable=True))

    assert list(line.each("abc", "letters", 3)) == ["a", "b", "c"]


def test_a_scan_is_told_when_it_is_done() -> None:
    assert told(20, 2) == ["scans: 1 of 2, 20 s", "scans: 2 of 2, 40 s"]


@pytest.mark.parametrize(("seconds_each", "n_lines"), [(0.05, 2), (2, 21), (30, 100)])
def test_many_quick_scans_make_few_lines(seconds_each: float, n_lines: int) -> None:
    lines = told(seconds_each, 100)

    assert len(lines) == n_lines
    assert lines[-1].startswith("scans: 100 of 100")


def test_a_terminal_gets_no_plain_lines() -> None:
    text = StringIO()
    console = Console(file=text, force_terminal=True, width=100)

    with Progress("{task.description} {task.completed}", console=console) as progress:
        assert list(PreparationLine(progress).each([1, 2], "scans", 2)) == [1, 2]

    assert "of 2" not in text.getvalue()
    assert "scans 2" in text.getvalue()
