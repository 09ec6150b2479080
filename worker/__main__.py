"""Starts a worker: `python -m worker`. Exits with 78 if it cannot start as it was told to."""

import os
import signal
import sys
from types import FrameType
from typing import Any

from celery.signals import worker_shutting_down
from pydantic import ValidationError

from worker.app import CHILD_REFUSES, EX_CONFIG, STOP_CHILD, make_app
from worker.settings import WorkerSettings


def main() -> int:
    """Run a worker until it is told to stop."""
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        sys.stderr.write(f"disyre worker: {_explain(error)}\n")
        return EX_CONFIG
    worker: Any = make_app(settings).Worker(
        loglevel="INFO", quiet=True, without_gossip=True, without_mingle=True, without_heartbeat=True
    )

    def tell_children(**_: object) -> None:
        """Let a running job end in time, so that it can go back to the queue."""
        for pid in worker.pool.info["processes"] if worker.pool else ():
            os.kill(pid, STOP_CHILD)

    signal.signal(CHILD_REFUSES, _give_up)
    worker_shutting_down.connect(tell_children, weak=False)
    worker.start()
    return worker.exitcode or 0


def _explain(error: ValidationError) -> str:
    """Which settings are wrong, in one line that repeats no value: it may be a secret."""
    details = error.errors(include_input=False, include_url=False)
    return "; ".join(f"wrong setting {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in details)


def _give_up(signum: int, frame: FrameType | None) -> None:
    """End at once: there is no job to wait for, and the reaper sends a message that was taken again."""
    os._exit(EX_CONFIG)


if __name__ == "__main__":
    sys.exit(main())
