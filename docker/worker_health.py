"""The health check of a worker's container: exits with 0 if its worker holds a network that gives answers.

What counts is the heartbeat of the process that holds the network; its parent may live on without it.
"""

import sys
from typing import Final

from disyre.adapters.broker import connect
from disyre.adapters.worker_registry import RedisWorkerRegistry
from disyre.errors import Unavailable
from worker.heartbeat import worker_prefix
from worker.settings import WorkerSettings

_TIMEOUT_S: Final = 3.0


def main() -> int:
    """Look for a worker of this host among those that are ready."""
    try:
        with connect(WorkerSettings().broker(), timeout_s=_TIMEOUT_S) as client:
            workers = RedisWorkerRegistry(client).workers()
    except Unavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not any(worker.id.startswith(worker_prefix()) for worker in workers):
        sys.stderr.write("no heartbeat of the process that holds the network\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
