"""How the API holds under load on this machine: polls beside a job, a long queue, slow clients, memory.

    scripts/run serve python benchmarks/load.py SCAN [--seconds 20]

Starts the stack. Polls come at a fixed rate whatever becomes of those before (200 a second over 20
connections), and their times are counted from when they were due. Prints a JSON line for each measurement.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx

from cli.stack import HOST, Stack, free_port, running_stack

_RATE: Final = 200
_CONNECTIONS: Final = 20
_ROOM: Final = 100
"""In the queue, for jobs that other measurements add."""
_MINUTE_S: Final = 60
_MOST_SUBMITS_A_SECOND: Final = 1000
_SLOW: Final = 100
_SETTLED_S: Final = 2.0
"""After that, all have come that a measurement begins with."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument(
        "--queued", type=int, default=1000, help="jobs in the long queue; default: %(default)s"
    )
    arguments = parser.parse_args()
    # The defaults refuse what is measured here: a queue beyond its limit, and so many submissions a minute.
    os.environ["DISYRE_MAX_QUEUED_JOBS"] = str(arguments.queued + _ROOM)
    os.environ["DISYRE_MAX_SUBMITS_PER_MINUTE"] = str(_MINUTE_S * _MOST_SUBMITS_A_SECOND)
    with (
        tempfile.TemporaryDirectory() as data_dir,
        running_stack(port=free_port(), data_dir=Path(data_dir)) as stack,
        httpx.Client(base_url=stack.url, timeout=60) as client,
    ):
        load = Load(
            stack,
            client,
            arguments.scan.read_bytes(),
            seconds=arguments.seconds,
            n_queued=arguments.queued,
        )
        for name, measure in load.measurements().items():
            print(json.dumps({"measured": name, **measure(), "api_mib": load.api_mib()}), flush=True)


class Load:
    """A stack, and what is done to it."""

    def __init__(
        self, stack: Stack, client: httpx.Client, scan: bytes, *, seconds: float, n_queued: int
    ) -> None:
        self._port = int(stack.url.rpartition(":")[2])
        self._client = client
        self._scan = scan
        self._seconds = seconds
        self._n_queued = n_queued

    def measurements(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """What is measured, in this order."""
        return {
            "from accepted to started, idle worker": self.overhead,
            f"{_RATE} polls a second, nothing else": self.polls,
            f"{_RATE} polls a second beside a running job": self.polls_beside_a_job,
            f"polls beside {_SLOW} clients that send a byte a second": self.polls_beside_slow_clients,
            f"{self._n_queued} jobs accepted, queued and listed": self.long_queue,
            f"{_RATE} polls a second beside {self._n_queued} queued jobs": self.polls_beside_a_job,
        }

    def overhead(self) -> dict[str, Any]:
        """How long an idle worker takes to begin."""
        waits = []
        for _ in range(5):
            job = self._finished(self._submit())
            waits.append(_moment(job["started_at"]) - _moment(job["created_at"]))
        return {"ms": [round(1e3 * wait) for wait in sorted(waits)]}

    def polls(self) -> dict[str, Any]:
        """Poll a job that has ended."""
        return asyncio.run(self._poll(self._submit()))

    def polls_beside_a_job(self) -> dict[str, Any]:
        """Poll a job while it runs, and others after it."""
        ids = [self._submit() for _ in range(6)]
        return asyncio.run(self._poll(ids[-1]))

    def polls_beside_slow_clients(self) -> dict[str, Any]:
        """Poll while others hold connections."""
        return asyncio.run(self._beside(self._slow_clients))

    def long_queue(self) -> dict[str, Any]:
        """Post until so many wait, though the worker takes some meanwhile, and go through the list."""
        begun = time.perf_counter()
        statuses = [self._post().status_code for _ in range(self._n_queued)]
        accepted_s = time.perf_counter() - begun
        while self._depth() < self._n_queued:
            self._submit()
        begun = time.perf_counter()
        listed = self._queued_ids()
        listed_s = time.perf_counter() - begun
        return {
            "accepted": statuses.count(httpx.codes.ACCEPTED),
            "a_second": round(len(statuses) / accepted_s, 1),
            "listed": len(listed),
            "listed_s": round(listed_s, 2),
        }

    def _depth(self) -> int:
        return int(self._client.get("/v1/queue").raise_for_status().json()["depth"])

    def _queued_ids(self) -> set[str]:
        """All jobs that wait, page by page."""
        ids: set[str] = set()
        url = "/v1/jobs?state=queued&limit=100"
        while url:
            answer = self._client.get(url).raise_for_status()
            ids |= {job["id"] for job in answer.json()["jobs"]}
            url = answer.links.get("next", {}).get("url", "")
        return ids

    def api_mib(self) -> int:
        """Resident memory of the API process."""
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):
                command = (status.parent / "cmdline").read_bytes()
                environment = (status.parent / "environ").read_bytes()
                if b"-m\0service" in command and f"PORT={self._port}\0".encode() in environment:
                    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
                    return int(line.split()[1]) // 1024
        return 0

    def _post(self) -> httpx.Response:
        return self._client.post("/v1/jobs", content=self._scan)

    def _submit(self) -> str:
        return str(self._post().raise_for_status().json()["id"])

    def _finished(self, job_id: str) -> dict[str, Any]:
        while True:
            job = self._client.get(f"/v1/jobs/{job_id}", params={"wait": 10}).json()
            if job["finished_at"]:
                return dict(job)

    async def _beside(self, other: Callable[[], Awaitable[None]]) -> dict[str, Any]:
        task = asyncio.ensure_future(other())
        try:
            return await self._poll(self._submit())
        finally:
            task.cancel()

    async def _slow_clients(self) -> None:
        async def one() -> None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, self._port)
                writer.write(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(1)

        await asyncio.gather(*(one() for _ in range(_SLOW)))

    async def _poll(self, job_id: str) -> dict[str, Any]:
        """Poll at the rate; times of the answers from when each poll was due."""
        request = f"GET /v1/jobs/{job_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        began = asyncio.get_running_loop().time() + 0.1
        times: list[tuple[float, float]] = []
        """How long each took, and when it was due."""
        errors = 0

        async def connection(k: int) -> None:
            nonlocal errors
            reader, writer = await asyncio.open_connection(HOST, self._port)
            for n in range(int(self._seconds * _RATE / _CONNECTIONS)):
                due = began + (n * _CONNECTIONS + k) / _RATE
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(_length(head))
                errors += not head.startswith(b"HTTP/1.1 200")
                times.append((asyncio.get_running_loop().time() - due, due - began))
            writer.close()

        await asyncio.gather(*(connection(k) for k in range(_CONNECTIONS)))
        times.sort()
        slowest = [due for _, due in times[int(0.99 * len(times)) :]]
        later = [time for time, due in times if due >= _SETTLED_S]
        return {
            "polls": len(times),
            "errors": errors,
            "p50_ms": round(1e3 * times[len(times) // 2][0], 1),
            "p99_ms": round(1e3 * times[int(0.99 * len(times))][0], 1),
            "longest_ms": round(1e3 * times[-1][0], 1),
            "slowest_due_s": [round(min(slowest), 1), round(max(slowest), 1)],
            "p99_ms_later": round(1e3 * later[int(0.99 * len(later))], 1) if later else None,
        }


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main()
