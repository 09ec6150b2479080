"""Runs a command that does not outlive its parent: `python -m cli.tied PARENT_PID NICENESS COMMAND...`.

The kernel kills the command when the parent dies, however that dies; so a killed `disyre serve` leaves
nothing behind.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

_PR_SET_PDEATHSIG: Final = 1
_SESSION: Final = Path("/proc/self/autogroup")
"""The niceness of a session: where the kernel has it, that of a program counts within its session only."""


def tied(command: Sequence[str], *, niceness: int = 0) -> list[str]:
    """The command, tied to this process; the nicer (up to 19), the more do others come first.

    It has to be started in a session of its own.
    """
    return [sys.executable, "-m", __name__, str(os.getpid()), str(niceness), *command]


def _main() -> NoReturn:
    parent, niceness, *command = sys.argv[1:]
    if int(niceness) > 0:
        os.nice(int(niceness))
        with suppress(OSError):  # not all kernels have it
            _SESSION.write_text(niceness)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before this could be asked for
        sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    _main()
