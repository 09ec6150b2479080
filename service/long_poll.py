"""The long poll: a job once there is something to tell of it, or the client has waited for long enough."""

import asyncio
import re
from typing import Final

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from disyre.errors import Unavailable
from disyre.job import Job
from disyre.job_event import JobEvent
from service.conditional import client_has, quoted
from service.dependencies import Parts
from service.event_hub import Listener, News

LONGEST_S: Final = 25.0
_LOOK_EVERY_S: Final = 1.0
"""Whether the client is still there, and may still read."""
_PREFERENCE: Final = re.compile(r'wait="?([0-9]{1,9})"?', re.IGNORECASE)


def preferred_wait_s(request: Request) -> float | None:
    """How long a client prefers to wait (RFC 7240), at most LONGEST_S; None if it says nothing."""
    said = [each for line in request.headers.getlist("Prefer") for each in line.split(",")]
    waits = [_PREFERENCE.fullmatch(each.partition(";")[0].strip()) for each in said]
    return next((min(float(wait[1]), LONGEST_S) for wait in waits if wait), None)


async def news_of(request: Request, job_id: str, parts: Parts, *, wait_s: float) -> Job:
    """The job once there is something to tell, or the time is over, or the client or this process leaves.

    A broker that does not answer, as while its disk is slow, is asked again as long as the client waits.
    Raises Unauthenticated if the client's key or token ends meanwhile.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + wait_s
    with parts.hub.listen(job_id) as listener:
        while True:
            parts.check_still()
            try:
                job = await run_in_threadpool(parts.jobs.get, job_id)
            except Unavailable:
                if clock() >= deadline or parts.drain.has_begun:
                    raise
                await listener.news(within_s=min(_LOOK_EVERY_S, deadline - clock()))
                continue
            if clock() >= deadline or parts.drain.has_begun or _is_wanted(request, JobEvent.of(job)):
                return job
            if not await _wait(request, parts, listener, deadline):
                return job


async def _wait(request: Request, parts: Parts, listener: Listener, deadline: float) -> bool:
    """Wait until the job is to be looked at; False if nothing has come, and nobody waits any more."""
    clock = asyncio.get_running_loop().time
    while True:
        news = await listener.news(within_s=min(_LOOK_EVERY_S, max(0.0, deadline - clock())))
        parts.check_still()
        if _is_worth_a_look(request, news):
            return True
        if clock() >= deadline or parts.drain.has_begun:
            return True
        if await request.is_disconnected():
            return False


def _is_worth_a_look(request: Request, news: News) -> bool:
    return news.missed or any(_is_wanted(request, event) for event in news.events)


def _is_wanted(request: Request, event: JobEvent) -> bool:
    """Whether a client waits for this: for what it does not have, or, if it names nothing, for the end."""
    is_news = "if-none-match" in request.headers and not client_has(request, quoted(event.revision))
    return is_news or event.state.is_finished
