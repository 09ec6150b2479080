"""How throughput and waiting grow from 1 to 64 workers, and where the broker becomes the limit: a simulation.

    scripts/run serve python benchmarks/many_workers.py SCAN [SCAN...] [--jobs 12]

Measured first, on this machine: how long a worker is busy with a job, how often it and the API write to
the broker meanwhile, and how many writes a second the broker takes, each on the disk before it is answered,
from 1 to 64 connections at once. Then simulated: such workers, each on a machine of its own, on one
such broker. Prints JSON lines.
"""

import argparse
import heapq
import json
import random
import statistics
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx

from cli.broker import make_embedded_broker
from cli.stack import free_port, running_stack
from disyre.adapters.broker import connect

_WORKERS: Final = (1, 2, 4, 8, 16, 32, 64)
_CONNECTIONS: Final = (1, 4, 16, 64)
_MEASURED_FOR_S: Final = 3.0
_PROGRESS_S: Final = 0.3
"""A worker tells of its progress no more often."""
_LOAD: Final = 0.8
"""Share of what the workers can do that arrives, where waiting is simulated."""
_JOBS_A_WORKER: Final = 200
_WRITES: Final = frozenset(
    (
        *(
            "hset",
            "hdel",
            "hincrby",
            "incr",
            "lpush",
            "rpush",
            "brpop",
            "lrem",
            "zadd",
            "zrem",
            "sadd",
            "srem",
        ),
        *("set", "setex", "psetex", "pexpire", "expire", "del", "unlink", "evalsha", "eval", "exec"),
        "zremrangebyscore",
    )
)


@dataclass(frozen=True)
class Measured:
    """What one worker and the broker do on this machine."""

    busy_s: tuple[float, ...]
    """A worker's time with each job."""
    writes_a_job: float
    writes_a_s: dict[int, float]
    """By how many connections write at once."""

    def write_s(self, n: int) -> float:
        """How long the broker has to do with a write when n write at once."""
        nearest = min(self.writes_a_s, key=lambda known: abs(known - n))
        return 1 / self.writes_a_s[nearest]


def main() -> None:
    """Measure, simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=12)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        busy_s, writes = _measure_jobs(Path(folder) / "stack", arguments.scans, arguments.jobs)
        measured = Measured(busy_s, writes, _measure_broker(Path(folder) / "broker"))
    _print(
        busy_s_median=round(statistics.median(busy_s), 2),
        writes_a_job=round(writes, 1),
        writes_a_s={n: round(rate) for n, rate in measured.writes_a_s.items()},
    )
    for n in _WORKERS:
        full = simulate(measured, n, arrivals_a_s=None)
        loaded = simulate(measured, n, arrivals_a_s=_LOAD * full.jobs_a_s)
        _print(
            workers=n,
            jobs_an_hour=round(3600 * full.jobs_a_s),
            broker_busy=round(full.broker_busy, 3),
            wait_s_mean=round(statistics.mean(loaded.waits_s), 1),
            wait_s_p95=round(statistics.quantiles(loaded.waits_s, n=20)[-1], 1),
        )


@dataclass
class Outcome:
    """Of a simulation."""

    jobs_a_s: float
    waits_s: list[float]
    broker_busy: float
    """Share of the time in which the broker had something to do."""


@dataclass
class _Simulation:
    """Workers take jobs in order; each of their writes waits for those before it at the broker."""

    measured: Measured
    n_workers: int
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    now: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _n: int = 0
    _queue: deque[float] = field(default_factory=deque)
    _idle: int = 0
    _broker_free_at: float = 0.0
    broker_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)
    n_done: int = 0

    def __post_init__(self) -> None:
        self._idle = self.n_workers
        self._write_s = self.measured.write_s(self.n_workers)
        self._lag_s = max(0.0, self.measured.write_s(1) - self._write_s)

    def at(self, when: float, do: Callable[[], None]) -> None:
        self._n += 1
        heapq.heappush(self._events, (when, self._n, do))

    def arrive(self) -> None:
        self._queue.append(self.now)
        self._start()

    def run(self) -> None:
        while self._events:
            self.now, _, do = heapq.heappop(self._events)
            do()

    def _start(self) -> None:
        while self._idle and self._queue:
            self._idle -= 1
            self.waits_s.append(self.now - self._queue.popleft())
            busy_s = self.rng.choice(self.measured.busy_s)
            n_told = int(busy_s / _PROGRESS_S)
            n_before = max(0, round(self.measured.writes_a_job) - n_told)
            self._go_on([0.0] * n_before + [busy_s / max(n_told, 1)] * n_told)

    def _go_on(self, steps: list[float]) -> None:
        """Work for the time of the next step, then write, and so on."""
        if not steps:
            self._idle += 1
            self.n_done += 1
            self._start()
            return
        self.at(self.now + steps[0], lambda: self._write(steps[1:]))

    def _write(self, left: list[float]) -> None:
        begun = max(self.now, self._broker_free_at)
        self._broker_free_at = begun + self._write_s
        self.broker_s += self._write_s
        self.at(self._broker_free_at + self._lag_s, lambda: self._go_on(left))


def simulate(measured: Measured, n_workers: int, *, arrivals_a_s: float | None) -> Outcome:
    """Some hundred jobs a worker, arriving at random, or all there from the beginning."""
    simulation = _Simulation(measured, n_workers)
    when = 0.0
    for _ in range(_JOBS_A_WORKER * n_workers):
        when += simulation.rng.expovariate(arrivals_a_s) if arrivals_a_s else 0.0
        simulation.at(when, simulation.arrive)
    simulation.run()
    busy = simulation.broker_s / simulation.now
    return Outcome(simulation.n_done / simulation.now, simulation.waits_s, busy)


def _measure_jobs(data_dir: Path, scans: Sequence[Path], n: int) -> tuple[tuple[float, ...], float]:
    """How long a worker is busy with each of n jobs, and how often the broker is written to for one."""
    with (
        running_stack(port=free_port(), data_dir=data_dir) as stack,
        httpx.Client(base_url=stack.url, timeout=60) as client,
        connect(make_embedded_broker(data_dir / "broker").url, timeout_s=10) as broker,
    ):
        before = _n_writes(broker)
        contents = [scan.read_bytes() for scan in scans]
        ids = [client.post("/v1/jobs", content=contents[k % len(contents)]).json()["id"] for k in range(n)]
        while (
            client.get("/v1/jobs", params={"state": "succeeded", "limit": n}).json()["jobs"][n - 1 : n] == []
        ):
            time.sleep(2)
        writes = (_n_writes(broker) - before) / n
        jobs = [client.get(f"/v1/jobs/{job_id}").json() for job_id in ids]
    return tuple(_seconds(job["started_at"], job["finished_at"]) for job in jobs), writes


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _n_writes(broker: Any) -> int:
    stats = broker.info("commandstats")
    return sum(
        int(figures["calls"])
        for name, figures in stats.items()
        if name.removeprefix("cmdstat_").partition("|")[0] in _WRITES
    )


def _measure_broker(folder: Path) -> dict[int, float]:
    """Writes a second, each on the disk before it is answered, by the number of connections."""
    embedded = make_embedded_broker(folder)
    process = subprocess.Popen(embedded.command, stdout=subprocess.DEVNULL)
    try:
        while not embedded.is_up():
            time.sleep(0.02)
        return {n: _writes_a_s(embedded.url, n) for n in _CONNECTIONS}
    finally:
        process.terminate()
        process.wait()
        embedded.clean_up()


def _writes_a_s(url: str, n: int) -> float:
    counts = [0] * n
    end = time.monotonic() + _MEASURED_FOR_S

    def write(k: int) -> None:
        with connect(url, timeout_s=10) as client:
            while time.monotonic() < end:
                client.hset(f"job:{k}", mapping={"doc": "x" * 2000, "revision": counts[k]})
                counts[k] += 1

    threads = [threading.Thread(target=write, args=(k,)) for k in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / _MEASURED_FOR_S


def _print(**figures: object) -> None:
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
