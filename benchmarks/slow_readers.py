"""What clients cost that take an answer over and over, slowly, or not at all: polls beside them, and memory.

    scripts/run dev python -m benchmarks.slow_readers [--seconds 10]

Starts a broker and the API anew for each measurement, with the clients in a process of their own. 50 polls a
second over 10 connections are timed from when each was due. Prints a JSON line for each.
"""

import argparse
import asyncio
import gc
import hashlib
import json
import multiprocessing
import os
import resource
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from benchmarks.quiet_api import QuietApi, quiet_api
from cli.stack import HOST
from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.job import Artifact, Job

_RATE: Final = 50
_POLLERS: Final = 10
_RESULT_BYTES: Final = 6_000_000
_SMALL_WINDOW_BYTES: Final = 4096
_DOCUMENT: Final = "/openapi.json"
_SETTLED_S: Final = 2.0
"""After that, all are there."""
_LONGEST: Final = 3
_GOES_ON: Final = 600
"""Of clients, until they are ended."""
_BEYOND: Final = 500
"""Files that are open beside the clients' connections."""


@dataclass(frozen=True)
class Crowd:
    """Clients of one kind."""

    name: str
    way: Callable[[int, str, int], None]
    path: str
    count: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", default="", help="what the names of measurements begin with")
    arguments = parser.parse_args()
    for crowd in _crowds():
        if crowd.name.startswith(arguments.only):
            with tempfile.TemporaryDirectory() as folder, quiet_api(Path(folder)) as bench:
                print(
                    json.dumps(_measure(bench, Path(folder) / "data", crowd, arguments.seconds)), flush=True
                )


def _crowds() -> list[Crowd]:
    return [
        Crowd("nobody", _take_nothing, "", 0),
        *(Crowd("over and over: the document", _hammer, _DOCUMENT, count) for count in (10, 50, 100)),
        Crowd("over and over: /livez", _hammer, "/livez", 100),
        Crowd("nothing taken: the document", _take_nothing, _DOCUMENT, 1500),
        *(Crowd("slow: a result of 6 MB", _take_slowly, "result", count) for count in (100, 200, 400, 1500)),
        Crowd("over and over: a result of 6 MB", _hammer, "result", 10),
    ]


def _measure(bench: QuietApi, data: Path, crowd: Crowd, seconds: float) -> dict[str, Any]:
    job = _finished(bench, data)
    path = f"/v1/jobs/{job.id}/results/{job.artifacts[0].name}" if crowd.path == "result" else crowd.path
    httpx.get(bench.url + _DOCUMENT, timeout=60)
    asyncio.run(_polls(bench.port, job.id, 2.0))
    before = bench.api.memory_info().rss
    process = multiprocessing.get_context("spawn").Process(
        target=crowd.way, args=(bench.port, path, crowd.count), daemon=True
    )
    process.start()
    time.sleep(1.0)
    polls = asyncio.run(_polls(bench.port, job.id, seconds))
    times, later = sorted(polls), sorted(polls[-int(len(polls) * (1 - _SETTLED_S / seconds)) :])
    during, n_files = bench.api.memory_info().rss, bench.api.num_fds()
    process.kill()
    process.join()
    time.sleep(3.0)
    return {
        "beside": crowd.name,
        "clients": crowd.count,
        "poll_p50_ms": round(1e3 * times[len(times) // 2], 1),
        "poll_p99_ms": round(1e3 * times[int(0.99 * len(times))], 1),
        "poll_p99_ms_later": round(1e3 * later[int(0.99 * len(later))], 1),
        "poll_longest_ms": round(1e3 * times[-1], 1),
        "rss_mb_before": round(before / 1e6),
        "rss_mb": round(during / 1e6),
        "rss_mb_peak": _peak_mb(bench.api.pid),
        "rss_mb_later": round(bench.api.memory_info().rss / 1e6),
        "open_files": n_files,
        "api_cpu_s": round(sum(bench.api.cpu_times()[:2]), 1),
    }


def _peak_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024 / 1e6)


def _finished(bench: QuietApi, data: Path) -> Job:
    """A job with one result, of noise."""
    job, jobs, store = bench.add_job(), RedisJobStore(bench.broker), FolderArtifactStore(data)
    content = np.random.default_rng(0).bytes(_RESULT_BYTES)
    (data / "jobs" / job.id).mkdir(parents=True)
    job = jobs.update(job.id, lambda job: job.start(at=jobs.now()))
    with store.attempt(job.id, job.attempt) as folder:
        (folder / "anomaly.nii.gz").write_bytes(content)
    artifact = Artifact(
        name="anomaly.nii.gz",
        kind="anomaly",
        media_type="application/gzip",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    return jobs.update(
        job.id,
        lambda job: job.succeed(
            attempt=job.attempt,
            artifacts=(artifact,),
            summary={"anomaly_score": 0.25},
            provider="CPUExecutionProvider",
            timings_s={"total": 1.0},
            at=jobs.now(),
        ),
    )


async def _polls(port: int, job_id: str, seconds: float) -> list[float]:
    """How long each took, in the order in which they were due."""
    gc.disable()
    began = time.perf_counter()

    async def one(number: int) -> list[tuple[float, float]]:
        reader, writer = await asyncio.open_connection(HOST, port)
        times = []
        for n in range(number, int(_RATE * seconds), _POLLERS):
            due = began + n / _RATE
            if time.perf_counter() > began + _LONGEST * seconds:
                break  # of a server that is slow enough
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(f"GET /v1/jobs/{job_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await _answer(reader)
            times.append((due, time.perf_counter() - due))
        writer.close()
        return times

    found = [each for times in await asyncio.gather(*map(one, range(_POLLERS))) for each in times]
    gc.enable()
    return [took for _, took in sorted(found)]


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
    await reader.readexactly(int(fields[b"content-length"]))
    return int(head.split()[1])


def _hammer(port: int, path: str, count: int) -> None:
    os.nice(5)

    async def one() -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(HOST, port)
                while True:
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                    await _answer(reader)

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(count)))

    asyncio.run(all_of_them())


def _asked(port: int, path: str, count: int) -> list[socket.socket]:
    """Connections of clients that have asked, and have room for little of what comes."""
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + _BEYOND,) * 2)
    found = []
    for _ in range(count):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_WINDOW_BYTES)
        connection.connect((HOST, port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        found.append(connection)
    return found


def _take_nothing(port: int, path: str, count: int) -> None:
    found = _asked(port, path, count)
    time.sleep(_GOES_ON)
    del found


def _take_slowly(port: int, path: str, count: int) -> None:
    """512 bytes a second each."""
    found = _asked(port, path, count)
    for connection in found:
        connection.setblocking(False)
    while True:
        time.sleep(1.0)
        for connection in found:
            with suppress(OSError):
                connection.recv(512)


if __name__ == "__main__":
    main()
