"""Programs that let others come first."""

import os
import sys
from pathlib import Path

from cli.log_file import LogFile
from cli.process import Process, Program
from tests.live import wait_for

SESSION = Path("/proc/self/autogroup")
"""Where the kernel shares processors between sessions first."""
TELL = f"""
import os
from pathlib import Path
session = Path("{SESSION}")
print(os.nice(0), session.exists() and session.read_text(), sep="\\n")
"""


def _said(tmp_path: Path, niceness: int) -> list[str]:
    """The niceness of a program, and what the kernel says of its session."""
    log = tmp_path / "log"
    process = Process(Program("teller", [sys.executable, "-c", TELL], LogFile(log), niceness=niceness))
    process.start()
    wait_for(lambda: process.exit_status == 0, "it has ended")
    return log.read_text().split("\n")


def test_a_nice_program_yields_to_others_and_to_those_of_other_sessions(tmp_path: Path) -> None:
    own, session, *_ = _said(tmp_path, 10)

    assert own == "10"
    assert session == "False" or session.endswith("nice 10")


def test_a_program_of_which_nothing_is_said_is_as_nice_as_its_parent(tmp_path: Path) -> None:
    assert _said(tmp_path, 0)[0] == str(os.nice(0))
