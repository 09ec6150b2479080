"""What is told while scans are read and a network is trained, where no terminal is."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress

from model_export.config import TrainingConfig
from model_export.progress_line import PreparationLine, ProgressLine


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


def test_what_is_to_stop_ends_between_two_things() -> None:
    done: list[int] = []
    line = PreparationLine(
        Progress(console=Console(file=StringIO()), disable=True), should_stop=lambda: len(done) == 2
    )

    with pytest.raises(KeyboardInterrupt):
        for number in line.each(range(5), "scans", 5):
            done.append(number)

    assert done == [0, 1]


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


def training_line(**changes: object) -> tuple[ProgressLine, StringIO]:
    """Of a run of 3,000,000 patches."""
    text = StringIO()
    config = replace(TrainingConfig.read("t1w"), **changes)  # type: ignore[arg-type]
    return ProgressLine(config, Progress(console=Console(file=text), disable=True)), text


def test_a_report_says_how_much_there_is_in_all_and_how_long_it_takes_yet() -> None:
    line, text = training_line()

    line({"patches": 300_000, "elapsed_s": 3_000.0, "loss": 0.01})

    assert text.getvalue() == (
        "300,000 of 3,000,000 patches  3000 s, 7.5 h left  100 patches/s  loss 0.0100\n"
    )


def test_a_limit_of_time_ends_a_run_before_its_patches_do() -> None:
    line, text = training_line(max_train_s=3_600.0)

    line({"patches": 300_000, "elapsed_s": 3_000.0, "loss": 0.01})

    assert "10 min left" in text.getvalue()


def test_a_long_run_on_a_processor_is_told_once_at_the_first_rate_that_is_measured() -> None:
    line, text = training_line()

    for seconds in range(0, 60, 10):
        line.step(16 + 50 * seconds, 3.0 + seconds)

    assert text.getvalue() == (
        "2,998,984 patches are left; at the first 50 patches/s that is 16.7 h on this processor. "
        "Ctrl-C ends a run whole, and --resume goes on with it.\n"
    )


@pytest.mark.parametrize("changes", [{"device": "cuda"}, {"total_patches": 10_000}, {"max_train_s": 600.0}])
def test_a_short_run_or_one_on_a_gpu_is_not_told_to_be_long(changes: dict[str, object]) -> None:
    line, text = training_line(**changes)

    for seconds in range(0, 60, 10):
        line.step(16 + 50 * seconds, 3.0 + seconds)

    assert text.getvalue() == ""
