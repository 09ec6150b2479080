"""What an API process does besides answering: every few seconds, for as long as it lives."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from disyre.errors import Misconfigured
from service.backends import Backends
from service.caretaker import Caretaker
from service.egress import Hosts
from service.event_hub import EventHub
from service.exporter import Exporter
from service.exposure import warn_of_exposed_jobs
from service.limiters import in_thread
from service.orphans import Orphans
from service.postman import Postman
from service.reaper import Reaper
from service.retention import Retention
from service.settings import ServiceSettings
from service.steady_clock import SteadyClock
from service.troubles import Troubles
from service.webhooks import read_secrets
from service.withdrawals import Withdrawals

_CALLS_AT_ONCE: Final = 16
"""Of a process at the end of jobs: so many who do not answer are not in the way of one who does."""


@dataclass(frozen=True)
class Upkeep:
    """Looks after jobs and files, calls at the end of jobs, and sends results to archives."""

    backends: Backends
    withdrawals: Withdrawals
    postman: Postman | None
    exporter: Exporter
    hub: EventHub
    settings: ServiceSettings
    clock: SteadyClock
    asks_for_no_key: bool
    more: list[Callable[[], None]] = field(default_factory=list)
    """Further works, each in a thread of its own."""

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Keep on with it for the length of a block."""
        self.backends.artifacts.prepare()
        self.backends.held.prepare()
        caretaker = self._caretaker()
        await run_in_threadpool(caretaker.sweep)
        calls = [self.postman.deliver] * _CALLS_AT_ONCE if self.postman else []
        works = [caretaker.take_care, self.exporter.deliver, *calls, *self.more]
        threads = CapacityLimiter(len(works))
        every_s = self.settings.reap_interval_s
        repeat = partial(_repeat, every_s=every_s, threads=threads, troubles=Troubles())
        tasks = [asyncio.create_task(repeat(number, work)) for number, work in enumerate(works)]
        if self.asks_for_no_key:
            tasks.append(asyncio.create_task(run_in_threadpool(warn_of_exposed_jobs, self.backends.jobs)))
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.hub.stop()

    def _caretaker(self) -> Caretaker:
        jobs, artifacts, audit = self.backends.jobs, self.backends.artifacts, self.backends.audit
        retention = Retention(
            jobs,
            self.backends.expiry,
            self.backends.owners,
            artifacts,
            self.clock,
            tombstone_s=self.settings.tombstone_s,
            on_expired=lambda job_id: audit.note("expire_job", job_id=job_id),
        )
        return Caretaker(
            Reaper(jobs, self.backends.queue, artifacts),
            self.withdrawals,
            Orphans(jobs, artifacts),
            retention,
            artifacts,
            upload_timeout_s=self.settings.upload_timeout_s,
        )


def make_postman(backends: Backends, settings: ServiceSettings) -> Postman | None:
    """Who calls at the end of jobs; None if nobody may be called. Raises Misconfigured."""
    if not settings.webhook_hosts:
        return None
    if settings.webhook_secret_file is None:
        raise Misconfigured(
            "expected DISYRE_WEBHOOK_SECRET_FILE to be set together with DISYRE_WEBHOOK_HOSTS"
        )
    return Postman(
        backends.jobs, Hosts.read(settings.webhook_hosts), read_secrets(settings.webhook_secret_file)
    )


async def _repeat(
    number: int,
    work: Callable[[], None],
    *,
    every_s: float,
    threads: CapacityLimiter,
    troubles: Troubles,
) -> None:
    """Do a work now and then, in a thread of its own, as long as the app lives.

    The first time is soon: whoever did it before may have been killed in between.
    """
    await asyncio.sleep(every_s / 10)
    while True:
        try:
            await in_thread(threads, work)
        except Exception as error:
            troubles.note(number, error)
        else:
            troubles.end(number)
        await asyncio.sleep(every_s)
