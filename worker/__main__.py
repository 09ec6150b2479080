"""Starts a worker: `python -m worker`.

Exits with 78 if it cannot start as it was told to, and with 75 if it took nothing any more.
"""

import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from celery import Celery
from celery.exceptions import CDeprecationWarning, CPendingDeprecationWarning, SecurityWarning
from celery.signals import task_failure, task_received, worker_shutting_down
from celery.worker import state

from disyre.adapters.broker import connect
from disyre.adapters.job_store import JobStore
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.settings import EX_CONFIG, read_settings, refuse_to_start
from disyre.adapters.task_queue import CeleryTaskQueue, TaskQueue, has_message
from disyre.adapters.worker_registry import RedisWorkerRegistry, worker_prefix
from disyre.errors import Misconfigured
from worker.app import CHILD_REFUSES, STOP_CHILD, make_app, open_artifacts
from worker.assembly import check, make_holdings
from worker.log import tell_lost
from worker.lost import give_back_soon
from worker.model_queues import follow, queues_of
from worker.settings import WorkerSettings
from worker.standstill import Watchdog

logger = logging.getLogger("worker")

EX_TEMPFAIL: Final = 75
"""Exit status of a worker that took nothing any more."""
_BROKER_TIMEOUT_S: Final = 5.0
_END_WITHIN_S: Final = 10.0
"""A worker that does not end by itself so long after the grace of its job is ended."""


def main() -> int:
    """Run a worker until it is told to stop."""
    # Said of root, for whom pickled messages would be worst: JSON is all that is taken, and what else speaks
    # against root is up to whoever starts this.
    warnings.filterwarnings("ignore", "You're running the worker with superuser", SecurityWarning)
    app, settings = _checked()
    holdings = make_holdings(settings)
    follow(app, holdings)
    worker: Any = app.Worker(
        queues=queues_of(holdings.names()),
        loglevel="INFO",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    _leave_the_log_to_us()
    logger.info("settings: %s", settings.shown())
    holdings.tell_left_out()

    def tell_children() -> None:
        """Let a running job end in time, so that it can go back to the queue."""
        for pid in worker.pool.info["processes"] if worker.pool else ():
            os.kill(pid, STOP_CHILD)

    def end() -> None:
        """End as Celery does if it is told to; in any case."""
        celery_state: Any = state
        celery_state.should_stop = EX_TEMPFAIL
        try:
            tell_children()
            time.sleep(settings.shutdown_grace_s + _END_WITHIN_S)
        finally:
            os._exit(EX_TEMPFAIL)

    watchdog = Watchdog(_leaves_messages(app, settings), most_s=settings.max_standstill_s, end=end)

    def stop(**_: object) -> None:
        logger.info("told to stop")
        watchdog.stop()
        tell_children()

    def took(**_: object) -> None:
        watchdog.took()

    jobs, queue = _job_store_and_queue(app, settings)

    def give_back_lost(task_id: str, **_: object) -> None:
        give_back_soon(task_id, jobs, queue, lambda: open_artifacts(settings, jobs))

    signal.signal(CHILD_REFUSES, _give_up)
    worker_shutting_down.connect(stop, weak=False)
    task_received.connect(took, weak=False)
    task_failure.connect(tell_lost, weak=False)
    task_failure.connect(give_back_lost, weak=False)
    watchdog.start()
    worker.start()
    return worker.exitcode or 0


def _job_store_and_queue(app: Celery, settings: WorkerSettings) -> tuple[JobStore, TaskQueue]:
    """For the jobs of children that die."""
    client = connect(settings.broker(), timeout_s=_BROKER_TIMEOUT_S)
    return RedisJobStore(client), CeleryTaskQueue(app, client)


def _leaves_messages(app: Celery, settings: WorkerSettings) -> Callable[[], bool]:
    """Whether the child is ready and idle while messages lie in the queues that this worker takes from."""
    client = connect(settings.broker(), timeout_s=_BROKER_TIMEOUT_S)
    registry = RedisWorkerRegistry(client)
    name = f"{worker_prefix()}{os.getpid()}"

    def look() -> bool:
        is_idle = any(each.id == name and each.busy_with is None for each in registry.workers())
        return is_idle and has_message(client, list(app.amqp.queues.consume_from))

    return look


def _checked() -> tuple[Celery, WorkerSettings]:
    """The application and its settings, if its child has a chance to start; else the end of the process."""
    try:
        settings = read_settings(WorkerSettings)
        check(settings)
        return make_app(settings), settings
    except Misconfigured as error:
        refuse_to_start("worker", error)


def _leave_the_log_to_us() -> None:
    """Keep Celery from writing lines of another form than the log's, or to who programs with it."""
    for to_programmers in (CDeprecationWarning, CPendingDeprecationWarning):
        warnings.filterwarnings(
            "ignore", category=to_programmers
        )  # Celery wants them always, from its start on
    _add_to_environment(
        "PYTHONWARNINGS", "ignore:semaphore_tracker:UserWarning"
    )  # of a process beside the child
    os.environ["_MP_FORK_LOGLEVEL_"] = ""  # as the child does until it has imported worker.app
    with open(os.devnull, "wb") as nowhere:  # as this process does on stdout, where nothing else is written
        os.dup2(nowhere.fileno(), 1)


def _add_to_environment(name: str, value: str) -> None:
    os.environ[name] = ",".join(filter(None, [os.environ.get(name), value]))


def _give_up(signum: int, frame: FrameType | None) -> None:
    """End at once: there is no job to wait for, and the reaper sends a message that was taken again."""
    os._exit(EX_CONFIG)


if __name__ == "__main__":
    sys.exit(main())
