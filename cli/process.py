"""One program of a stack: started in a group of its own, watched, started again, and stopped."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cli.log_file import LogFile
from cli.tied import tied

_REFUSAL: Final = ": cannot start: "
"""In the line with which a program of ours says why it cannot start."""
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 4.0
"""Whoever waits for a job does not wait much longer for a program that was killed a few times."""
_STEADY_S: Final = 10.0
"""A program that ran for this long is started again as if it had never failed."""


@dataclass(frozen=True)
class Program:
    """What is to run."""

    name: str
    command: list[str]
    log: LogFile
    environment: dict[str, str] = field(default_factory=dict)
    """Added to this process's own."""
    stop_s: float = 5.0
    """Time to end after SIGTERM; what is left then is killed."""
    is_up: Callable[[], bool] = lambda: True
    """What the next program waits for before it is started."""


class Process:
    """A program that runs. Not to be used from several threads."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._popen: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._wait_s = _FIRST_WAIT_S
        self._due_at: float | None = None

    def start(self) -> None:
        """Start the program; its output goes to its log."""
        self._started_at, self._due_at = time.monotonic(), None
        with self.program.log.path.open("ab") as log:
            self._popen = subprocess.Popen(
                tied(self.program.command),
                env={**os.environ, **self.program.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this program through its supervisor only
            )

    @property
    def exit_status(self) -> int | None:
        """How the program ended, negative for a signal; None while it runs."""
        return self._popen.poll() if self._popen else None

    def restart_if_due(self) -> str | None:
        """Start a program that has ended again, later and later if it keeps ending; says so when it ended."""
        status = self.exit_status
        if status is None:
            return None
        if self._due_at is None:
            self._kill_group()
            steady = time.monotonic() - self._started_at > _STEADY_S
            self._wait_s = _FIRST_WAIT_S if steady else min(2 * self._wait_s, _LONGEST_WAIT_S)
            self._due_at = time.monotonic() + self._wait_s
            return f"{self.program.name} ended with status {status}: starting it again in {self._wait_s:g} s"
        if time.monotonic() >= self._due_at:
            self.start()
        return None

    def stop(self) -> None:
        """Have the program end, and everything that it started."""
        if self._popen is None:
            return
        self._popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(self.program.stop_s)
        self._kill_group()
        self._popen.wait()

    def last_words(self, n: int = 15) -> str:
        """Why the program did not start, if it said so in a line; else the end of its log, on new lines."""
        lines = self.program.log.path.read_text(encoding="utf-8", errors="replace").splitlines()
        reasons = [line.partition(_REFUSAL)[2] for line in lines if _REFUSAL in line]
        return reasons[-1] if reasons else "\n" + "\n".join(lines[-n:])

    def _kill_group(self) -> None:
        """Kill whatever is left of the program's group; its leader has ended, or has had its time."""
        if self._popen is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
