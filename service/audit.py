"""The audit log: who did what to which job, or was refused; a line of JSON each, and nothing of a patient."""

import fcntl
import json
import logging
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from anyio import CapacityLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from disyre.job_id import read_job_id
from service.audit_chain import hash_of, last_line
from service.keys import KeyEntry
from service.limiters import in_thread

logger = logging.getLogger(__name__)

SERVICE: Final = "(service)"
"""Who it was, of what the service did by itself; no key has such a name."""
_READING: Final = ("GET", "HEAD")
_TELLING: Final = {"get_result"}
"""Routes that only read, and hand out what is about a patient, also to whom it belongs."""
_REFUSED: Final = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.TOO_MANY_REQUESTS,
}


@dataclass(frozen=True)
class Event:
    """Something that was done, or refused."""

    at: str
    """In UTC, as ISO 8601."""
    who: str | None
    """The name of a key; None if none was shown that there is."""
    what: str
    job_id: str | None
    """As it was asked for; there need not be such a job, if the call was refused."""
    status: int | None
    """That of the answer; None of what the service did by itself."""
    key: str | None = None
    """The name of a key that came or went."""
    key_id: str | None = None
    """Of the key that was shown, or that came or went: the first digits of its hash."""
    request: str | None = None
    """The `X-Request-ID` of the request, as the program's log names it."""


class AuditLog:
    """Files in a folder, one for each day and machine, which are only ever added to.

    Each line has the hash of the one before (`service.audit_chain`).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._host = socket.gethostname()

    def write(self, events: Iterable[Event]) -> None:
        """Add events; if the disk does not take them, the program's log says so."""
        events = list(events)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"{datetime.now(UTC):%Y-%m-%d}-{self._host}.jsonl"
            with open(path, "ab", opener=_private) as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # others on this machine may write to it
                file.write(self._chained(events, path.name))
        except OSError as error:
            lost = "; ".join(json.dumps(asdict(event)) for event in events)
            logger.error("the audit log cannot be written: %s; lost: %s", error.strerror, lost)

    def note(self, what: str, *, job_id: str | None = None, who: str = SERVICE) -> None:
        """Write down what the service did by itself, or for somebody who had asked for it before."""
        self.write([Event(at=_now(), who=who, what=what, job_id=job_id, status=None)])

    def note_key(self, what: str, entry: KeyEntry | None) -> None:
        """Write down that a key came or went, or that a file of keys was not taken."""
        of_key = {"key": entry.name, "key_id": entry.id} if entry is not None else {}
        self.write([Event(at=_now(), who=SERVICE, what=what, job_id=None, status=None, **of_key)])

    def _chained(self, events: Sequence[Event], name: str) -> bytes:
        """The next lines of a file of this name, which nobody else writes to meanwhile."""
        last = last_line(self._folder / name, host=self._host)
        lines = b"" if last.is_whole else b"\n"  # a power cut may leave half a line
        previous = last.hash
        for event in events:
            line = json.dumps({**asdict(event), "previous": previous}).encode()
            previous = hash_of(line)
            lines += line + b"\n"
        return lines


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def action_of(scope: Scope, status: int) -> str | None:
    """What a request did that is answered with a status; None if there is no such call."""
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return None  # the server names a route of another method
    return getattr(scope.get("route"), "name", None)


def jobs_of(scope: Scope) -> tuple[str, ...]:
    """Ids of the jobs that a request is about; of one that was refused before, the id that it asked for."""
    noted: tuple[str, ...] = scope.get("state", {}).get("job_ids", ())
    asked = read_job_id(scope.get("path_params", {}).get("job_id", ""))
    return noted or ((asked,) if asked else ())


def only_reads(scope: Scope) -> bool:
    """Whether a request changes nothing, and asks for nothing that is about a patient."""
    return scope["method"] in _READING and getattr(scope.get("route"), "name", None) not in _TELLING


class Audited:
    """Writes down what the requests of an app do, before they are answered."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self._app = app
        self._log = log
        self._one_by_one = CapacityLimiter(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection of the ASGI server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = False

        async def send_noted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                await self._note(scope, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception:
            if not answered:
                await self._note(scope, HTTPStatus.INTERNAL_SERVER_ERROR)
            raise

    async def _note(self, scope: Scope, status: int) -> None:
        what = action_of(scope, status)
        state: Mapping[str, Any] = scope.get("state", {})
        is_quiet = only_reads(scope) and status not in _REFUSED and not state.get("shows_jobs_of_others")
        if what is None or is_quiet:
            return
        caller = state.get("caller")
        if state.get("is_one_of_many"):
            return
        event = Event(
            at=_now(),
            who=caller and caller.name,
            what=what,
            job_id=None,
            status=status,
            key_id=caller and caller.key_id,
            request=state["trace"].request_id,
        )
        events = [replace(event, job_id=job_id) for job_id in jobs_of(scope) or (None,)]
        await in_thread(self._one_by_one, self._log.write, events)
