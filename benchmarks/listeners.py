"""What many who wait for one job cost while nothing happens to it, and how soon all hear of a change.

    scripts/run dev python -m benchmarks.listeners [--listeners 200] [--seconds 10]

Starts a broker and the API, and lets clients wait for a queued job: by server-sent events, then by
long polls, until it is canceled. Prints a JSON line for each.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import redis

from benchmarks.quiet_api import QuietApi, cpu_s, quiet_api
from cli.stack import HOST
from disyre.adapters.redis_job_store import RedisJobStore

_SETTLES_S = 3.0
"""Until all clients wait."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, quiet_api(Path(folder)) as bench:
        for way in ("/events", "?wait=25"):
            measured = asyncio.run(_measure(bench, way, arguments.listeners, arguments.seconds))
            print(json.dumps(measured), flush=True)


async def _measure(bench: QuietApi, way: str, n_listeners: int, seconds: float) -> dict[str, object]:
    jobs = RedisJobStore(bench.broker)
    job = bench.add_job()
    streams = [await asyncio.open_connection(HOST, bench.port) for _ in range(n_listeners)]
    for _, writer in streams:
        writer.write(f"GET /v1/jobs/{job.id}{way} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await asyncio.sleep(_SETTLES_S)
    spent_s, n_commands = cpu_s(bench.api), _n_commands(bench.broker)
    await asyncio.sleep(seconds)
    spent_s, n_commands = cpu_s(bench.api) - spent_s, _n_commands(bench.broker) - n_commands
    begun = time.monotonic()
    await asyncio.to_thread(jobs.update, job.id, lambda job: job.request_cancel(at=jobs.now()))
    heard = await asyncio.gather(*(_hears(reader, begun) for reader, _ in streams))
    for _, writer in streams:
        writer.close()
    return {
        "waits": way,
        "listeners": n_listeners,
        "idle_s": seconds,
        "api_cpu_s": round(spent_s, 2),
        "broker_commands": n_commands,
        "first_hears_s": round(min(heard), 3),
        "last_hears_s": round(max(heard), 3),
        "api_rss_mb": round(bench.api.memory_info().rss / 1e6),
    }


async def _hears(reader: asyncio.StreamReader, begun: float) -> float:
    await reader.readuntil(b'"state":"canceled"')
    return time.monotonic() - begun


def _n_commands(broker: redis.Redis) -> int:
    """So many it was given."""
    return int(cast(dict[str, Any], broker.info("stats"))["total_commands_processed"])


if __name__ == "__main__":
    main()
