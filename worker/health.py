"""Whether a worker of this host is ready: `python -m worker.health`, for the health check of a container."""

import sys

from disyre.adapters.broker import connect
from disyre.adapters.settings import read_settings
from disyre.adapters.worker_registry import RedisWorkerRegistry, worker_prefix
from disyre.errors import Misconfigured, Unavailable
from worker.settings import WorkerSettings

_TIMEOUT_S = 5.0


def main() -> int:
    """0 if a worker of this host is in the registry, 1 if none is."""
    try:
        with connect(read_settings(WorkerSettings).broker(), timeout_s=_TIMEOUT_S) as client:
            workers = RedisWorkerRegistry(client).workers()
    except (Misconfigured, Unavailable) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0 if any(worker.id.startswith(worker_prefix()) for worker in workers) else 1


if __name__ == "__main__":
    sys.exit(main())
