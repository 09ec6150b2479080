"""Clocks that a test sets, and jobs whose time goes by."""

from dataclasses import dataclass, field
from datetime import timedelta

import httpx

from disyre.adapters.clock_marks import InMemoryClockMarks
from disyre.adapters.expiry import InMemoryExpiry
from disyre.adapters.owner_index import InMemoryOwnerIndex, OwnerIndex
from service.retention import Retention
from service.steady_clock import SteadyClock
from tests.builders import NOON
from tests.service.live_api import LiveApi, succeed

DAY_S = 86400.0


@dataclass
class Clocks:
    """The broker's and this process's own."""

    broker_s: float = 0.0
    own_s: float = 0.0
    expired: list[str] = field(default_factory=list)
    """Ids of jobs of which it was told that they have expired."""
    marks: InMemoryClockMarks = field(default_factory=InMemoryClockMarks)

    def pass_by(self, seconds: float) -> None:
        self.broker_s += seconds
        self.own_s += seconds


def retention_of(
    api: LiveApi, clocks: Clocks, boot: str | None = "boot-1", owners: OwnerIndex | None = None
) -> Retention:
    """One of an API's jobs, by clocks of a test; another one is that of another process."""
    api.jobs.clock = lambda: NOON + timedelta(seconds=clocks.broker_s)
    return Retention(
        api.jobs,
        InMemoryExpiry(api.jobs),
        owners or InMemoryOwnerIndex(),
        api.artifacts,
        SteadyClock(clocks.marks, boot, clock_s=lambda: clocks.own_s),
        tombstone_s=60,
        on_expired=clocks.expired.append,
    )


def finish(api: LiveApi, job_id: str) -> None:
    """Have a job succeed."""
    job = api.jobs.update(job_id, lambda job: job.start(at=api.jobs.now()))
    succeed(api, job, {"summary.json": b"{}"})


def finished(api: LiveApi, client: httpx.Client, scan: bytes) -> str:
    """A job that a client has submitted, and that has ended."""
    job_id = str(client.post("/v1/jobs", content=scan).json()["id"])
    finish(api, job_id)
    return job_id


def run_down(retention: Retention, clocks: Clocks, days: float) -> None:
    """Have a steady time go by, and look once an hour."""
    for _ in range(round(days * 24)):
        clocks.pass_by(3600)
        retention.expire_due()
