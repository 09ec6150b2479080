"""Broker, worker and API on one machine, as three programs that belong together."""

import errno
import fcntl
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from cli.broker import EmbeddedBroker, answers, make_embedded_broker
from cli.log_file import LogFile
from cli.process import Process, Program
from disyre.adapters.broker import connect
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.settings import SharedSettings, read_settings
from disyre.errors import Misconfigured, Unavailable
from service.settings import ServiceSettings
from worker.settings import WorkerSettings

HOST: Final = "127.0.0.1"

_READY_WITHIN_S: Final = 180.0
_LOOK_EVERY_S: Final = 0.1
_BROKER_TIMEOUT_S: Final = 2.0
_LOCK_NAME: Final = "serve.lock"
_TELL_AFTER_S: Final = 10.0
_TELL_AGAIN_S: Final = 60.0
_WHY: Final = {
    "disk": "the disk has less room than DISYRE_MIN_FREE_BYTES",
    "artifacts": "the bucket of scans and results does not answer",
    "broker": "the broker does not answer",
    "worker": "no worker has loaded its model yet",
    "queue": "jobs wait, and no worker takes them",
    "API": "the API does not answer yet",
}
"""What a check of `/readyz` says if it is not well."""
_UPLOAD_GRACE_S: Final = 5.0
"""An upload under way may go on for so long, unless the environment says otherwise."""
_SCAN_GRACE_S: Final = 0.0
"""A scan may not: whoever presses Ctrl-C does not wait for it."""
_END_S: Final = 10.0
"""Time to end after the grace."""


class Stack:
    """The programs, in the order in which they start; they stop in the opposite one."""

    def __init__(self, programs: list[Program], *, port: int, broker_url: str) -> None:
        self.url = f"http://{HOST}:{port}"
        self._broker_url = broker_url
        self._port = port
        self._processes = [Process(program) for program in programs]

    def start(
        self, *, is_stopped: Callable[[], bool] = lambda: False, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        """Start all programs and wait until a scan could be scored, or until `is_stopped` says so.

        `tell` hears now and then what is missing, if this takes long.
        Raises Misconfigured if a program ends, with what it said last, or if all this takes too long.
        """
        for process in self._processes:
            process.program.log.begin()
            process.start()
            self._wait_for(process.program.is_up, is_stopped)
        waiting = _Waiting(tell)
        self._wait_for(lambda: waiting.is_over(self._missing()), is_stopped)

    def _wait_for(self, is_there: Callable[[], bool], is_stopped: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_WITHIN_S
        while not is_stopped() and not is_there():
            for process in self._processes:
                if process.exit_status is not None:
                    raise Misconfigured(f"the {process.program.name} did not start: {process.last_words()}")
            if time.monotonic() > deadline:
                raise Misconfigured(f"not ready after {_READY_WITHIN_S:g} s; {self._logs()}")
            time.sleep(_LOOK_EVERY_S)

    def watch(self) -> list[str]:
        """Start again what has ended, and keep the logs bounded; says what has ended."""
        for process in self._processes:
            process.program.log.keep_bounded()
        notes = [process.restart_if_due() for process in self._processes]
        return [note for note in notes if note]

    def stop(self) -> None:
        """End all programs, and whatever they have started."""
        for process in reversed(self._processes):
            process.stop()

    def unfinished_jobs(self) -> int:
        """How many jobs wait or run; 0 if the broker cannot tell."""
        with connect(self._broker_url, timeout_s=_BROKER_TIMEOUT_S) as client:
            jobs = RedisJobStore(client)
            try:
                return len(jobs.waiting()) + len(jobs.running())
            except Unavailable:
                return 0

    def _missing(self) -> list[str]:
        """Which checks of the API say that no scan can be scored now; none if one can."""
        connection = HTTPConnection(HOST, self._port, timeout=5)  # past any proxy
        try:
            connection.request("GET", "/readyz")
            checks = json.load(connection.getresponse())["checks"]
            return [name for name, is_well in checks.items() if not is_well]
        except (OSError, HTTPException, ValueError, KeyError):
            return ["API"]
        finally:
            connection.close()

    def _logs(self) -> str:
        return "see " + ", ".join(str(process.program.log.path) for process in self._processes)


class _Waiting:
    """Says what is waited for: after some seconds, and seldom after that, or when it is something else."""

    def __init__(self, tell: Callable[[str], None], *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock_s = clock_s
        self._told: list[str] = []
        self._due_s = clock_s() + _TELL_AFTER_S

    def is_over(self, missing: list[str]) -> bool:
        """Whether nothing is missing any more."""
        if missing and self._clock_s() >= self._due_s:
            self._due_s = self._clock_s() + (_TELL_AGAIN_S if missing == self._told else _TELL_AFTER_S)
            self._told = missing
            self._tell(f"not ready yet: {'; '.join(_WHY.get(name, name) for name in missing)}")
        return not missing


@contextmanager
def running_stack(
    *,
    port: int,
    data_dir: Path,
    is_stopped: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Stack]:
    """A stack that is ready to score for the length of a block; at the end no process is left.

    The block begins with a stack that is not ready only if `is_stopped` said so.
    Raises Misconfigured if the port or the folder is in use, or if a program does not start.
    """
    _check_port(port)
    data_dir = data_dir.resolve()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data_dir / "logs").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"{data_dir} cannot hold the data: {error.strerror}") from error
    with ExitStack() as cleanup:
        cleanup.enter_context(_sole_use_of(data_dir))
        programs, broker_url = _programs(port, data_dir, cleanup)
        stack = Stack(programs, port=port, broker_url=broker_url)
        cleanup.callback(stack.stop)
        stack.start(is_stopped=is_stopped, tell=tell)
        yield stack


def _programs(port: int, data_dir: Path, cleanup: ExitStack) -> tuple[list[Program], str]:
    """Broker (if none is set), worker and API; all see the same folders. And the address of the broker."""
    settings = _checked_settings()
    environment = {
        "DISYRE_DATA_DIR": str(data_dir),
        "DISYRE_MODELS_DIR": str(settings.models_dir.resolve()),
        "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime may report to its makers otherwise
    }
    logs = data_dir / "logs"
    programs = []
    if {"broker_url", "broker_url_file"} & settings.model_fields_set:
        broker_url = settings.broker()
        if not answers(broker_url):
            raise Misconfigured("the broker that DISYRE_BROKER_URL names does not answer")
    else:
        broker = make_embedded_broker(data_dir / "broker")
        cleanup.callback(broker.clean_up)
        environment["DISYRE_BROKER_URL"] = broker_url = broker.url
        programs.append(_broker_program(broker, logs))
    is_said = "shutdown_grace_s" in settings.model_fields_set
    scan_s = settings.shutdown_grace_s if is_said else _SCAN_GRACE_S
    upload_s = settings.shutdown_grace_s if is_said else _UPLOAD_GRACE_S
    programs.append(
        _own_program("worker", "worker", LogFile(logs / "worker.log"), environment, grace_s=scan_s)
    )
    address = {"DISYRE_LISTEN_HOST": HOST, "DISYRE_LISTEN_PORT": str(port)}
    programs.append(
        _own_program("API", "service", LogFile(logs / "api.log"), environment | address, grace_s=upload_s)
    )
    return programs, broker_url


def _own_program(
    name: str, module: str, log: LogFile, environment: dict[str, str], *, grace_s: float
) -> Program:
    """A program of ours, with time for what is under way when it is told to stop."""
    environment = {**environment, "DISYRE_SHUTDOWN_GRACE_S": f"{grace_s:g}"}
    return Program(name, [sys.executable, "-m", module], log, environment, stop_s=grace_s + _END_S)


def _checked_settings() -> SharedSettings:
    """The settings that the programs share. Raises Misconfigured if one of them would refuse its own."""
    read_settings(WorkerSettings)
    settings = read_settings(ServiceSettings)
    if str(settings.listen_host) != HOST:
        raise Misconfigured(
            f"disyre serve listens on {HOST} only, and DISYRE_LISTEN_HOST says another address: start "
            "`python -m service` and `python -m worker` for that"
        )
    return settings


def _broker_program(broker: EmbeddedBroker, logs: Path) -> Program:
    return Program("broker", broker.command, LogFile(logs / "broker.log"), is_up=broker.is_up)


@contextmanager
def _sole_use_of(data_dir: Path) -> Iterator[None]:
    """Keep other stacks from a folder. The lock goes with the process, however that ends."""
    with (data_dir / _LOCK_NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Misconfigured(
                f"another 'disyre serve' uses {data_dir}; choose another (--data-dir, or DATA_DIR=)"
            ) from error
        yield


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _check_port(port: int) -> None:
    """Raise Misconfigured if something listens on the port already, or if it is none."""
    if not 0 < port < 2**16:
        raise Misconfigured(f"expected a port from 1 to 65535, got {port}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
            raise Misconfigured(f"port {port} {reason}; choose another (--port, or PORT=)") from error
