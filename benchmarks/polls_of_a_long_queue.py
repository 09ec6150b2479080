"""What a poll of a waiting job costs while many wait.

    scripts/run dev python -m benchmarks.polls_of_a_long_queue [--queued 0 1000] [--polls 1000]

Starts a broker and the API, fills the queue, and polls jobs over one connection, one after the other; the
time of the processors is that of the API and of the broker. Prints one JSON line for each length.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.quiet_api import QuietApi, cpu_s, quiet_api
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.worker_registry import RedisWorkerRegistry, WorkerInfo


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, nargs="+", default=[1, 1000])
    parser.add_argument("--polls", type=int, default=1000)
    arguments = parser.parse_args()
    for n_queued in arguments.queued:
        with tempfile.TemporaryDirectory() as folder, quiet_api(Path(folder)) as bench:
            print(json.dumps(_measure(bench, _fill(bench, n_queued), arguments.polls)), flush=True)


def _fill(bench: QuietApi, n_queued: int) -> list[str]:
    """Add so many jobs, and a worker."""
    ids = [bench.add_job().id for _ in range(n_queued)]
    now = RedisJobStore(bench.broker).now()
    times = {"started_at": now, "last_seen_at": now, "last_inference_at": now}
    worker = {"id": "worker", "provider": "CPUExecutionProvider", "models": ("t1w/1",), **times}
    RedisWorkerRegistry(bench.broker).beat(WorkerInfo.model_validate(worker))
    bench.broker.persist("disyre:worker:worker")
    return ids


def _measure(bench: QuietApi, ids: list[str], n_polls: int) -> dict[str, object]:
    processes = {"api": bench.api, "broker": bench.server}
    before = {name: cpu_s(process) for name, process in processes.items()}
    took_ms = []
    with httpx.Client(base_url=bench.url) as client:
        for n in range(n_polls):
            start = time.perf_counter()
            client.get(f"/v1/jobs/{ids[n * 7 % len(ids)]}").raise_for_status()
            took_ms.append(1000 * (time.perf_counter() - start))
    cpu_ms = {
        name: round(1000 * (cpu_s(process) - before[name]) / n_polls, 3)
        for name, process in processes.items()
    }
    cuts = statistics.quantiles(took_ms, n=100)
    return {
        "queued": len(ids),
        "polls": n_polls,
        "p50_ms": round(cuts[49], 2),
        "p99_ms": round(cuts[98], 2),
        "cpu_ms_a_poll": cpu_ms,
    }


if __name__ == "__main__":
    main()
