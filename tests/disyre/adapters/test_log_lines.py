"""Every line of a log begins with its time and its level."""

import logging
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from disyre.adapters.log_lines import LineFormatter, log_about, where, write_log_lines

PROGRAM = """
import logging
from disyre.adapters.log_lines import write_log_lines
library = logging.getLogger("library")
library.addHandler(logging.StreamHandler())
library.propagate = False
write_log_lines(["library"])
logging.getLogger("ours").info("job %s is done", 7)
library.warning("once")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("ours").exception("it failed")
"""
START = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING|ERROR) (ours|library): "


def test_the_time_is_that_of_the_record_in_utc() -> None:
    record = logging.makeLogRecord({"msg": "a\nb", "levelname": "INFO", "name": "n", "created": 1.5})

    assert LineFormatter().format(record) == (
        "1970-01-01T00:00:01.500Z INFO n: a\n1970-01-01T00:00:01.500Z INFO n: b"
    )


def test_lines_in_a_block_about_something_name_its_ids() -> None:
    record = logging.makeLogRecord({"msg": "a\nb", "levelname": "INFO", "name": "n", "created": 1.5})
    start = "1970-01-01T00:00:01.500Z INFO n: "

    with log_about(request="r", trace=None):
        with log_about():
            nothing = LineFormatter().format(record)
        lines = LineFormatter().format(record)

    assert lines == f"{start}[request=r] a\n{start}[request=r] b"
    assert nothing == LineFormatter().format(record) == f"{start}a\n{start}b"


def test_where_an_error_came_from_is_told_without_its_words() -> None:
    try:
        int("7" + "x" * 8)
    except ValueError as error:
        told = where(error)

    assert told.startswith("ValueError\n")
    assert "in test_where_an_error_came_from" in told
    assert "xxxxxxxx" not in told


@pytest.fixture
def _root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_root_as_before")
def test_a_library_that_would_write_for_itself_is_taken_over(capsys: pytest.CaptureFixture[str]) -> None:
    library = logging.getLogger("library")
    library.addHandler(logging.StreamHandler())
    library.propagate = False

    write_log_lines(["library"])
    library.info("once")

    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(START + "once", line)


def test_every_line_of_a_program_its_libraries_and_its_tracebacks_begins_alike() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    lines = run.stderr.splitlines()
    assert run.stdout == ""
    assert all(re.match(START, line) for line in lines), run.stderr
    assert [re.sub(START, "", line) for line in lines][:3] == ["job 7 is done", "once", "it failed"]
    assert len(lines) > 5
