"""Starts a worker: `python -m worker`. Exits with 78 if it cannot start as it was told to."""

import logging
import os
import signal
import sys
import warnings
from types import FrameType
from typing import Any

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import worker_shutting_down

from disyre.adapters.settings import EX_CONFIG, read_settings, refuse_to_start
from disyre.errors import Misconfigured
from worker.app import CHILD_REFUSES, STOP_CHILD, make_app
from worker.assembly import check, make_holdings
from worker.model_queues import follow, queues_of
from worker.settings import WorkerSettings

logger = logging.getLogger("worker")


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

    def tell_children(**_: object) -> None:
        """Let a running job end in time, so that it can go back to the queue."""
        logger.info("told to stop")
        for pid in worker.pool.info["processes"] if worker.pool else ():
            os.kill(pid, STOP_CHILD)

    signal.signal(CHILD_REFUSES, _give_up)
    worker_shutting_down.connect(tell_children, weak=False)
    worker.start()
    return worker.exitcode or 0


def _checked() -> tuple[Celery, WorkerSettings]:
    """The application and its settings, if its child has a chance to start; else the end of the process."""
    try:
        settings = read_settings(WorkerSettings)
        check(settings)
        return make_app(settings), settings
    except Misconfigured as error:
        refuse_to_start("worker", error)


def _leave_the_log_to_us() -> None:
    """Keep Celery from writing lines of another form than the log's."""
    os.environ["_MP_FORK_LOGLEVEL_"] = ""  # as the child does until it has imported worker.app
    with open(os.devnull, "wb") as nowhere:  # as this process does on stdout, where nothing else is written
        os.dup2(nowhere.fileno(), 1)


def _give_up(signum: int, frame: FrameType | None) -> None:
    """End at once: there is no job to wait for, and the reaper sends a message that was taken again."""
    os._exit(EX_CONFIG)


if __name__ == "__main__":
    sys.exit(main())
