"""Says that this process holds a network which works; runs in that process, never in its parent."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from disyre.adapters.worker_registry import BEAT_EVERY_S, WorkerInfo, WorkerRegistry, worker_prefix
from disyre.errors import Unavailable
from worker.holdings import Holdings
from worker.onnx_restorer import OnnxRestorer
from worker.restorers import Restorers

logger = logging.getLogger(__name__)

_JOIN_S: Final = 5.0
_PROVE_EVERY: Final = timedelta(seconds=30)
"""A network that had nothing to do for this long is tried again."""


class Heartbeat:
    """Tells the registry of this worker every few seconds, and tries the network where no job does."""

    def __init__(
        self,
        registry: WorkerRegistry,
        holdings: Holdings,
        restorers: Restorers,
        restorer: OnnxRestorer,
        *,
        on_dead: Callable[[Exception], None],
        every_s: float = BEAT_EVERY_S,
    ) -> None:
        """`restorer` is the one that is tried; `on_dead` is told why it no longer works."""
        self._registry = registry
        self._holdings = holdings
        self._restorers = restorers
        self._restorer = restorer
        self._on_dead = on_dead
        self._every_s = every_s
        self._id = f"{worker_prefix()}{os.getppid()}"  # the same for every child of one worker
        self._started_at = datetime.now(UTC)
        self._busy_with: str | None = None
        self._beating = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def describe(self) -> WorkerInfo:
        """This worker, now."""
        return WorkerInfo(
            id=self._id,
            provider=self._restorer.provider,
            models=self._restorers.names(),
            holds=self._holdings.models(),
            left_out=self._holdings.left_out(),
            started_at=self._started_at,
            last_seen_at=datetime.now(UTC),
            last_inference_at=self._restorers.last_inference_at(),
            busy_with=self._busy_with,
        )

    def start(self) -> None:
        """Begin to say so."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the registry."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        try:
            self._registry.leave(self._id)
        except Unavailable:
            logger.warning("the registry could not be left")

    @contextmanager
    def busy(self, job_id: str) -> Iterator[None]:
        """Say that a job is running, for the length of a block; both its ends are told at once."""
        self._busy_with = job_id
        self._beat()
        try:
            yield
        finally:
            self._busy_with = None
            self._beat()

    def prove(self) -> None:
        """Try the network, if it had nothing to do lately. Raises Misconfigured, or whatever went wrong."""
        is_idle = self._busy_with is None
        # Of a clock that was set, whichever way, once too often is better than never.
        if is_idle and abs(datetime.now(UTC) - self._restorer.last_inference_at) > _PROVE_EVERY:
            self._restorer.probe()

    def _beat(self) -> None:
        """Tell the registry, one thread at a time: what is told last is what is true."""
        with self._beating:
            try:
                self._registry.beat(self.describe())
            except Unavailable:
                logger.warning("the broker does not answer: nobody knows of this worker")

    def _run(self) -> None:
        while True:
            try:
                self.prove()
                self._beat()
            except Exception as error:
                self._on_dead(error)
                return
            if self._done.wait(self._every_s):
                return
