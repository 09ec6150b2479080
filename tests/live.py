"""Real parts for tests: a broker and workers as processes, and waiting for them with a deadline."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from cli.broker import EmbeddedBroker, make_embedded_broker

T = TypeVar("T")
ROOT: Final = Path(__file__).parents[1]


def wait_for(look: Callable[[], T | None], what: str, *, within_s: float = 30.0) -> T:
    """The first answer that is true; fails the test if none came in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if answer := look():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {within_s:g} s")


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class SeenProcess:
    """A process that was seen; its id may be another's later, but not with the same start."""

    pid: int
    start: str
    command: str

    def is_alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return self in _all_processes().values()


def descendants(pid: int) -> list[SeenProcess]:
    """All processes that a process has started, and those that these have started."""
    processes = _all_processes()
    parents = {}
    for child in processes:
        with contextlib.suppress(OSError):  # it ended meanwhile
            parents[child] = _stat(child)[1]
    found, new = [], [pid]
    while new:
        new = [child for child, parent in parents.items() if parent in map(str, new)]
        found += [processes[child] for child in new]
    return found


def _all_processes() -> dict[int, SeenProcess]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with contextlib.suppress(OSError):  # it ended meanwhile
            state, _, start = _stat(pid)
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if state != "Z":
                found[pid] = SeenProcess(pid, start, command)
    return found


def _stat(pid: int) -> tuple[str, str, str]:
    """State, parent and start of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], fields[1], fields[19]


@dataclass
class LiveBroker:
    """A broker that can be killed and started again with the same data."""

    embedded: EmbeddedBroker
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As Celery writes it."""
        return self.embedded.url

    def start(self) -> None:
        """Start, and wait until it answers."""
        self.process = subprocess.Popen(self.embedded.command, stdout=subprocess.DEVNULL)
        wait_for(self.embedded.is_up, "the broker answers")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@contextmanager
def live_broker(folder: Path) -> Iterator[LiveBroker]:
    """A broker for the length of a block."""
    broker = LiveBroker(make_embedded_broker(folder))
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
        broker.embedded.clean_up()


@dataclass
class LiveWorker:
    """A worker in a process group of its own."""

    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker"],
                env={**os.environ, **self.environment},
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def child_pid(self) -> int:
        """The process that holds the network and runs jobs."""
        return next(
            process.pid for process in descendants(self.process.pid) if "spawn_main" in process.command
        )

    def kill_group(self) -> None:
        """Kill the worker and all its children at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def text(self) -> str:
        """What it wrote."""
        return self.log.read_text(encoding="utf-8")


@contextmanager
def live_worker(environment: dict[str, str], log: Path) -> Iterator[LiveWorker]:
    """A worker for the length of a block."""
    worker = LiveWorker(environment, log)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.kill_group()
