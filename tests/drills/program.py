"""One program of the service: started, ended in any way, started again."""

import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cli.tied import tied
from tests.live import ROOT, SeenProcess, descendants


@dataclass
class Program:
    """A process in a group of its own, which does not outlive the drill."""

    command: list[str]
    environment: dict[str, str]
    log: Path
    root: Path = ROOT
    """Where its code is."""
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it; what it says is added to its log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                tied(self.command),
                env={**os.environ, **self.environment},
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def has_ended(self) -> bool:
        """Whether it was started and runs no more."""
        return self.process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        """Tell it, and all that it has started."""
        os.killpg(self.process.pid, number)

    def terminate(self) -> None:
        """Tell it alone to end, as its supervisor would."""
        self.process.terminate()

    def stop(self, *, within_s: float = 30) -> int:
        """Tell it alone to end, and wait; its exit status."""
        self.terminate()
        return self.process.wait(within_s)

    def kill(self) -> None:
        """End it with all that it has started, as a power cut would."""
        if not self.has_ended:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def child(self) -> SeenProcess | None:
        """The process of a worker that runs its jobs, if it is there."""
        found = (each for each in descendants(self.process.pid) if "spawn_main" in each.command)
        return next(found, None)

    def text(self) -> str:
        """What it wrote."""
        return self.log.read_text(encoding="utf-8")
