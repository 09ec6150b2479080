"""What many who wait for one job cost while nothing happens to it, and how soon all hear of a change.

    scripts/run dev python benchmarks/listeners.py [--listeners 200] [--seconds 10]

Starts a broker and the API, and lets clients wait for a queued job: by server-sent events, then by
long polls, until it is canceled. Prints a JSON line for each.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
import redis

from cli.broker import answers, make_embedded_broker
from cli.stack import HOST, free_port
from disyre.adapters.broker import connect
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.job import InputFile, Job, JobInput, JobModel
from disyre.job_id import new_job_id
from disyre.job_params import JobParams

_ROOT = Path(__file__).parents[1]
_SETTLES_S = 3.0
"""Until all clients wait."""


@dataclass(frozen=True)
class Bench:
    """An API and its broker."""

    port: int
    api: psutil.Process
    client: redis.Redis

    def api_cpu_s(self) -> float:
        """Processors' time of the API."""
        return float(sum(self.api.cpu_times()[:2]))

    def n_commands(self) -> int:
        """So many the broker was given."""
        stats = cast(dict[str, Any], self.client.info("stats"))
        return int(stats["total_commands_processed"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _bench(Path(folder)) as bench:
        for way in ("/events", "?wait=25"):
            measured = asyncio.run(_measure(bench, way, arguments.listeners, arguments.seconds))
            print(json.dumps(measured), flush=True)


@contextmanager
def _bench(folder: Path) -> Iterator[Bench]:
    """A broker and the API, and no search for lost jobs beside them."""
    broker, port = make_embedded_broker(folder / "broker"), free_port()
    environment = {
        "DISYRE_BROKER_URL": broker.url,
        "DISYRE_DATA_DIR": str(folder / "data"),
        "DISYRE_MODELS_DIR": str(_ROOT / "models"),
        "DISYRE_LISTEN_PORT": str(port),
        "DISYRE_REAP_INTERVAL_S": "3600",
    }
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        subprocess.Popen(broker.command, **quiet) as server,
        subprocess.Popen(
            [sys.executable, "-m", "service"], env={**os.environ, **environment}, cwd=_ROOT, **quiet
        ) as api,
        connect(broker.url, timeout_s=10) as client,
    ):
        try:
            while not (answers(broker.url) and _is_alive(port)):
                time.sleep(0.1)
            yield Bench(port, psutil.Process(api.pid), client)
        finally:
            for process in (api, server):
                process.terminate()


def _is_alive(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/livez").status_code == 200
    except httpx.TransportError:
        return False


async def _measure(bench: Bench, way: str, n_listeners: int, seconds: float) -> dict[str, object]:
    jobs = RedisJobStore(bench.client)
    job = _a_job(jobs)
    jobs.add(job)
    streams = [await asyncio.open_connection(HOST, bench.port) for _ in range(n_listeners)]
    for _, writer in streams:
        writer.write(f"GET /v1/jobs/{job.id}{way} HTTP/1.1\r\nHost: disyre\r\n\r\n".encode())
    await asyncio.sleep(_SETTLES_S)
    cpu_s, n_commands = bench.api_cpu_s(), bench.n_commands()
    await asyncio.sleep(seconds)
    cpu_s, n_commands = bench.api_cpu_s() - cpu_s, bench.n_commands() - n_commands
    begun = time.monotonic()
    await asyncio.to_thread(jobs.update, job.id, lambda job: job.request_cancel(at=jobs.now()))
    heard = await asyncio.gather(*(_hears(reader, begun) for reader, _ in streams))
    for _, writer in streams:
        writer.close()
    return {
        "waits": way,
        "listeners": n_listeners,
        "idle_s": seconds,
        "api_cpu_s": round(cpu_s, 2),
        "broker_commands": n_commands,
        "first_hears_s": round(min(heard), 3),
        "last_hears_s": round(max(heard), 3),
        "api_rss_mb": round(bench.api.memory_info().rss / 1e6),
    }


async def _hears(reader: asyncio.StreamReader, begun: float) -> float:
    await reader.readuntil(b'"state":"canceled"')
    return time.monotonic() - begun


def _a_job(jobs: RedisJobStore) -> Job:
    now = jobs.now()
    file = InputFile(name="000001", format="nifti-gz", sha256="0" * 64, size_bytes=1)
    model = JobModel(name="t1w", version="1", sha256="0" * 64)
    return Job.submit(new_job_id(now), model=model, input=JobInput(files=(file,)), params=JobParams(), at=now)


if __name__ == "__main__":
    main()
