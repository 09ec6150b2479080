"""Logs of the programs of a stack stay bounded while the programs write to them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.log_file import LogFile
from tests.live import wait_for


def test_the_log_of_the_start_before_is_kept_and_none_before_it(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "api.log")
    log.begin()  # there is none yet
    for text in ("first", "second"):
        log.path.write_text(text, encoding="utf-8")
        log.begin()

    assert [path.name for path in tmp_path.iterdir()] == ["api.log.1"]
    assert log.earlier.read_text(encoding="utf-8") == "second"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogFile]:
    """Of a program that writes lines of 100 digits, for longer than any test takes."""
    log = LogFile(tmp_path / "api.log", most_bytes=5_000)
    writes = "import time\nfor n in range(100_000): print(f'{n:099}', flush=True); time.sleep(0.001)"
    with (
        log.path.open("ab") as file,
        subprocess.Popen([sys.executable, "-c", writes], stdout=file) as program,
    ):
        yield log
        program.kill()


def test_a_program_that_goes_on_writes_to_a_log_that_stays_bounded(log: LogFile) -> None:
    for _ in range(3):
        wait_for(lambda: log.path.stat().st_size > log.most_bytes, "the log has grown")
        last = log.path.read_bytes()
        log.keep_bounded()
        assert log.earlier.read_bytes().startswith(last)
        wait_for(lambda: log.path.stat().st_size > 0, "the program goes on")
        assert b"\0" not in log.path.read_bytes()  # as there would be, did it go on where it had been


def test_a_log_that_is_short_or_was_removed_is_left_alone(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "api.log", most_bytes=5)
    log.keep_bounded()
    log.path.write_bytes(b"12345")

    log.keep_bounded()

    assert [path.name for path in tmp_path.iterdir()] == ["api.log"]


def test_a_log_that_cannot_be_put_aside_is_emptied_all_the_same(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "api.log", most_bytes=5)
    log.earlier.mkdir()
    log.path.write_bytes(b"123456")

    log.keep_bounded()

    assert log.path.read_bytes() == b""
