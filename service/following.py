"""The events of one job: each once and in order, from those that a client has missed to the last."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from fastapi.concurrency import run_in_threadpool

from disyre.errors import JobNotFound, Unavailable
from disyre.job_event import JobEvent
from service.dependencies import Parts
from service.errors import Unauthenticated

_LOOK_EVERY_S: Final = 2.0
"""Whether the client may still listen."""
_PAUSE_S: Final = 0.5
"""Before the broker is asked again that did not answer."""


async def follow(job_id: str, parts: Parts, *, after: int | None) -> AsyncIterator[JobEvent]:
    """What happens to a job after a revision, 0 being before the first; without one, first how it is now.

    Ends with the job, with the process, and with the key or the token of who listens.
    """
    seen = after
    with parts.hub.listen(job_id) as listener:
        missed = True
        events: tuple[JobEvent, ...] = ()
        while not parts.drain.has_begun and _may_listen(parts):
            if missed:
                try:
                    events = tuple(await run_in_threadpool(_since, job_id, parts, seen))
                except Unavailable:
                    await listener.news(within_s=_PAUSE_S)
                    continue
                except JobNotFound:
                    return  # it was deleted
            for event in events:
                if seen is None or event.revision > seen:
                    seen = event.revision
                    yield event
            if events and events[-1].state.is_finished:
                return
            news = await listener.news(within_s=_LOOK_EVERY_S)
            missed, events = news.missed, news.events


def _may_listen(parts: Parts) -> bool:
    try:
        parts.check_still()
    except Unauthenticated:
        return False
    return True


def _since(job_id: str, parts: Parts, seen: int | None) -> Sequence[JobEvent]:
    """All events since a revision, as far as they are known; without one, only the last, which always is."""
    job = parts.jobs.get(job_id)
    if seen is not None and job.revision <= seen:
        return ()
    events = parts.events.of(job_id, after=seen) if seen is not None else ()
    return events if events and events[-1].revision >= job.revision else (*events, JobEvent.of(job))
