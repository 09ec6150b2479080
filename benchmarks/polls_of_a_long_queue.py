"""What a poll of a waiting job costs while many wait.

    scripts/run dev python benchmarks/polls_of_a_long_queue.py [--queued 0 1000] [--polls 1000]

Starts a broker and the API, fills the queue, and polls jobs over one connection, one after the other; the
time of the processors is that of the API and of the broker. Prints one JSON line for each length.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from cli.broker import EmbeddedBroker, answers, make_embedded_broker
from cli.stack import free_port
from disyre.adapters.broker import connect
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.worker_registry import RedisWorkerRegistry, WorkerInfo
from disyre.job import InputFile, Job, JobInput, JobModel
from disyre.job_id import new_job_id
from disyre.job_params import JobParams

_ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, nargs="+", default=[1, 1000])
    parser.add_argument("--polls", type=int, default=1000)
    arguments = parser.parse_args()
    for n_queued in arguments.queued:
        with tempfile.TemporaryDirectory() as folder, _stack(Path(folder)) as (client, processes, broker):
            ids = _fill(broker, n_queued)
            print(json.dumps(_measure(client, processes, ids, arguments.polls)), flush=True)


@contextmanager
def _stack(
    folder: Path,
) -> Iterator[tuple[httpx.Client, dict[str, psutil.Process], EmbeddedBroker]]:
    """A broker and the API, and no search for lost jobs beside them."""
    broker, port = make_embedded_broker(folder / "broker"), free_port()
    environment = {
        "DISYRE_BROKER_URL": broker.url,
        "DISYRE_DATA_DIR": str(folder / "data"),
        "DISYRE_MODELS_DIR": str(_ROOT / "models"),
        "DISYRE_LISTEN_PORT": str(port),
        "DISYRE_REAP_INTERVAL_S": "3600",
    }
    command = [sys.executable, "-m", "service"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        subprocess.Popen(broker.command, **quiet) as server,
        subprocess.Popen(command, env={**os.environ, **environment}, cwd=_ROOT, **quiet) as api,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        try:
            while not (answers(broker.url) and _is_alive(client)):
                time.sleep(0.1)
            yield client, {"api": psutil.Process(api.pid), "broker": psutil.Process(server.pid)}, broker
        finally:
            for process in (api, server):
                process.terminate()


def _is_alive(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def _fill(broker: EmbeddedBroker, n_queued: int) -> list[str]:
    """Add so many jobs, and a worker."""
    now = datetime.now(UTC)
    file = InputFile(name="000001", format="nifti-gz", sha256="0" * 64, size_bytes=1)
    model = JobModel(name="t1w", version="1", sha256="0" * 64)
    times = {"started_at": now, "last_seen_at": now, "last_inference_at": now}
    with connect(broker.url, timeout_s=10) as client:
        jobs = [
            Job.submit(
                new_job_id(now), model=model, input=JobInput(files=(file,)), params=JobParams(), at=now
            )
            for _ in range(n_queued)
        ]
        for job in jobs:
            RedisJobStore(client).add(job)
        worker = {"id": "worker", "provider": "CPUExecutionProvider", "models": ("t1w/1",), **times}
        RedisWorkerRegistry(client).beat(WorkerInfo.model_validate(worker))
        client.persist("disyre:worker:worker")
    return [job.id for job in jobs]


def _measure(
    client: httpx.Client, processes: dict[str, psutil.Process], ids: list[str], n_polls: int
) -> dict[str, object]:
    before = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
    took_ms = []
    for n in range(n_polls):
        start = time.perf_counter()
        client.get(f"/v1/jobs/{ids[n * 7 % len(ids)]}").raise_for_status()
        took_ms.append(1000 * (time.perf_counter() - start))
    cpu_ms = {
        name: round(1000 * (sum(process.cpu_times()[:2]) - before[name]) / n_polls, 3)
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
