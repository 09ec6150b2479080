"""Starts the receiver, and has it go on until it is told to stop."""

import logging
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from disyre.adapters.library_messages import silence_libraries
from disyre.adapters.log_lines import where, write_log_lines
from disyre.adapters.settings import read_settings, refuse_to_start
from disyre.client import Client, ClientError
from disyre.eligibility import parse_rules
from disyre.errors import Misconfigured
from receiver.delivery import Delivery
from receiver.judge import Judge
from receiver.scp import Receiver, prepare_library
from receiver.settings import ReceiverSettings
from receiver.spool import Spool
from receiver.tls import check_tls

logger = logging.getLogger("receiver")

_LOOK_S: Final = 0.5
_WEIGH_S: Final = 10.0
_AT_ONCE: Final = 4
"""Jobs that are sent, asked for or forwarded at a time."""
_RETRY_FOR_S: Final = 5.0
"""Within a step; between steps the receiver waits itself."""


def main() -> int:
    """Receive until SIGTERM or Ctrl-C; ends with 78 if it cannot start as it was told to."""
    write_log_lines()
    silence_libraries()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = read_settings(ReceiverSettings)
        rules = parse_rules(_text(settings.receiver_rules, "RECEIVER_RULES"))
        check_tls(rules.destinations)
        key = _text(settings.key_file, "KEY_FILE").strip() if settings.key_file else None
        client = Client(settings.url, key=key, retry_for_s=_RETRY_FOR_S)
        spool = Spool(
            settings.receiver_spool,
            max_bytes=settings.receiver_max_bytes,
            max_instances=settings.receiver_max_instances,
        )
        spool.open()
        prepare_library(spool.arriving)
        receiver = Receiver(settings, spool)
        receiver.start()
    except (Misconfigured, ClientError) as error:
        refuse_to_start("receiver", Misconfigured(str(error)))
    logger.info("receives as %s on port %d", settings.receiver_ae_title, settings.receiver_port)
    own_title = settings.receiver_ae_title
    with client, closing(Delivery(client, spool, rules, own_title=own_title)) as delivery:
        Rounds(settings, spool, Judge(spool, rules), delivery).go_on(stop, receiver)
    return 0


@dataclass(frozen=True)
class Step:
    """A step of a job that is under way."""

    series: str | None
    """The key of its series."""
    future: Future[float | None]
    """Seconds until the next step; None if the job has ended."""


class Rounds:
    """Looks again and again at what there is to do."""

    def __init__(self, settings: ReceiverSettings, spool: Spool, judge: Judge, delivery: Delivery) -> None:
        self._settings, self._spool, self._judge, self._delivery = settings, spool, judge, delivery
        self._judged: dict[str, tuple[int, bool]] = {}
        """Of each series when its last image came as it was judged (ns), and whether a rule took it."""
        self._next_at: dict[str, float] = {}
        self._running: dict[str, Step] = {}

    def go_on(self, stop: threading.Event, receiver: Receiver) -> None:
        """Until it is told to stop; steps under way are finished."""
        weighed_at = 0.0
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            pool.submit(self._delivery.warn_of_models)
            while not stop.wait(_LOOK_S):
                try:
                    self.look(pool)
                    if time.monotonic() - weighed_at > _WEIGH_S:
                        weighed_at = time.monotonic()
                        self._spool.weigh()
                        self._spool.sweep()
                except OSError as error:  # such as a full disk: nothing is lost, and it may pass
                    logger.error("a round was given up: %s", where(error))
            receiver.stop()

    def look(self, pool: ThreadPoolExecutor) -> None:
        """Judge series that are quiet, and go on with jobs whose time has come."""
        now_ns = time.time_ns()
        for key, last_ns in self._spool.series():
            quiet_s = (now_ns - last_ns) / 1e9
            if quiet_s >= self._settings.receiver_quiet_s:
                self._look_at(key, last_ns)
                self._forget(key, last_ns, quiet_s)
        self._gather()
        for job in self._spool.jobs():
            if job.digest not in self._running and self._next_at.get(job.digest, 0) <= time.monotonic():
                self._running[job.digest] = Step(job.series, pool.submit(self._delivery.step, job))

    def _gather(self) -> None:
        for digest, step in list(self._running.items()):
            if step.future.done():
                del self._running[digest]
                error = step.future.exception()
                if error is not None:
                    logger.error("a step failed: %s", where(error))
                wait_s = 60.0 if error is not None else step.future.result()
                if wait_s is None:
                    self._next_at.pop(digest, None)
                    self._judged.pop(step.series or "", None)  # it may have come again meanwhile
                else:
                    self._next_at[digest] = time.monotonic() + wait_s

    def _look_at(self, key: str, last_ns: int) -> None:
        if self._judged.get(key, (0, False))[0] == last_ns:
            return
        sealed = self._spool.seal_series(key)
        try:
            self._judged[key] = last_ns, self._judge.judge(key, sealed, last_ns)
        finally:
            sealed.drop()

    def _forget(self, key: str, last_ns: int, quiet_s: float) -> None:
        is_taken = self._judged[key][1]
        keep_s = self._settings.receiver_keep_s if is_taken else self._settings.receiver_keep_rejected_s
        if quiet_s >= keep_s and self._spool.forget(key, last_ns):
            del self._judged[key]


def _text(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"DISYRE_{setting} cannot be read ({type(error).__name__})") from error
