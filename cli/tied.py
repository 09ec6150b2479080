"""Runs a command that does not outlive its parent: `python -m cli.tied PARENT_PID COMMAND...`.

The kernel kills the command when the parent dies, however that dies; so a killed `disyre serve` leaves
nothing behind.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

_PR_SET_PDEATHSIG: Final = 1


def tied(command: Sequence[str]) -> list[str]:
    """The command, tied to this process."""
    return [sys.executable, "-m", __name__, str(os.getpid()), *command]


def _main() -> NoReturn:
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before this could be asked for
        sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    _main()
