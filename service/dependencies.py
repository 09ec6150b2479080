"""What the handlers are given: the parts that the composition root made, and an id that can be a job's."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Path, Request
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    JsonValue,
)
from pydantic_core import PydanticCustomError

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.exports import Exports
from disyre.adapters.job_events import JobEvents
from disyre.adapters.owner_index import OwnerIndex
from disyre.adapters.worker_registry import WorkerRegistry
from disyre.errors import JobNotFound
from disyre.job_id import read_job_id
from disyre.model_shelf import ModelShelf
from service.caller import Caller
from service.disk_room import DiskRoom
from service.drain import Drain
from service.event_hub import EventHub
from service.held_series import HeldSeries
from service.limiters import Limiters
from service.metrics import Metrics
from service.once import Once
from service.openapi_parameters import JOB_ID, shown
from service.own_jobs import OwnJobs
from service.pacs import Servers
from service.series_jobs import SeriesJobs
from service.settings import ServiceSettings
from service.submission import Submission
from service.waiting_line import QueueWatch

_IS_A_UUID: Final[dict[str, JsonValue]] = {"format": "uuid"}
_NUMBER: Final = re.compile(r"[+-]?[0-9.]+")
_BLANK_ZONE: Final = re.compile(r"(:[0-9]{2}(?:\.[0-9]+)?) ([0-9]{2}:?[0-9]{2})$")


def _let_stay() -> None:
    """Of those who have shown no key: nobody takes it away."""


@dataclass(frozen=True)
class Parts:
    """All parts of the service, as a caller may use them."""

    caller: Caller
    """Nobody, where none is known."""
    jobs: OwnJobs
    """Of the caller."""
    artifacts: ArtifactStore
    models: ModelShelf
    workers: WorkerRegistry
    queue: QueueWatch
    submission: Submission
    settings: ServiceSettings
    metrics: Metrics
    limiters: Limiters
    drain: Drain
    once: Once
    room: DiskRoom
    events: JobEvents
    """Of all jobs: only for one that the caller was seen to have."""
    exports: Exports
    """Likewise."""
    held: HeldSeries
    """Of all owners."""
    series_jobs: SeriesJobs
    owners: OwnerIndex
    servers: Servers
    """The archives that results may be sent to, and series fetched from."""
    hub: EventHub
    """The same, as they come."""
    check_still: Callable[[], None] = _let_stay
    """Raises Unauthenticated once the caller's key or token is none any more: for who waits for long."""


async def _open_parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _given_parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    caller: Caller = request.state.caller  # of who passed the gate
    submission = replace(parts.submission, owner=caller.name, trace=request.state.trace)
    jobs = parts.jobs.of(caller, lambda: note_others(request))
    check_still = request.state.check_still
    return replace(parts, caller=caller, jobs=jobs, submission=submission, check_still=check_still)


def note_others(request: Request) -> None:
    """A request shows jobs of others: the audit log says so, though nothing is changed."""
    request.state.shows_jobs_of_others = True


def note_jobs(request: Request, *job_ids: str) -> None:
    """These are the jobs that a request is about, for the audit log."""
    request.state.job_ids = job_ids


async def _given_job_id(
    request: Request,
    job_id: Annotated[
        str, Path(description="UUID of a job", json_schema_extra=_IS_A_UUID, openapi_examples=shown(JOB_ID))
    ],
) -> str:
    as_written_here = read_job_id(job_id)
    if as_written_here is None:
        raise JobNotFound("expected the id of a job, got one that no job has")
    note_jobs(request, as_written_here)
    return as_written_here


def _check_cursor(cursor: str) -> str:
    last = read_job_id(cursor)
    if last is None:
        raise PydanticCustomError("cursor", "expected the next_cursor of another page")
    return last


def _as_written(time: object) -> object:
    """A time as it was meant: a `+` of a query is a blank, unless it is written as %2B.

    Refuses what would be read as seconds since 1970.
    """
    if not isinstance(time, str):
        return time
    if _NUMBER.fullmatch(time.strip()):
        raise PydanticCustomError(
            "time", "expected a time with its zone, such as 2026-01-31T12:00:00Z, got a number"
        )
    return _BLANK_ZONE.sub(r"\1+\2", time)


def _check_label(label: str) -> str:
    if not label.partition(":")[0] or ":" not in label:
        raise PydanticCustomError("label", "expected the name of a label and its value, with a colon between")
    return label


GivenParts: TypeAlias = Annotated[Parts, Depends(_given_parts)]
"""For who has shown a key."""
OpenParts: TypeAlias = Annotated[Parts, Depends(_open_parts)]
"""For everybody."""
GivenJobId: TypeAlias = Annotated[str, Depends(_given_job_id)]
"""Of the right form; what is not cannot be found, so it is a 404 and no 422."""
GivenCursor: TypeAlias = Annotated[str, AfterValidator(_check_cursor), Field(json_schema_extra=_IS_A_UUID)]
"""The id of the last job of another page; its form is nobody's business."""
GivenLabel: TypeAlias = Annotated[
    str, AfterValidator(_check_label), Field(json_schema_extra={"pattern": "^[^:]+:"})
]
"""A label by which jobs are listed, as `name:value`; the value may hold further colons."""
GivenTime: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_as_written)]
"""A moment with its offset from UTC."""
GivenModelName: TypeAlias = Annotated[str, Path(description="of a model", openapi_examples=shown("t1w"))]
"""Any text, so that what is no name is a 404."""
GivenVersion: TypeAlias = Annotated[
    str, Path(description="of the model, a whole number", openapi_examples=shown("5"))
]
"""Likewise."""
