"""`Idempotency-Key`: the same submission sent again, after an answer that was lost, makes no second job.

While a request holds a key, others with the same one are refused before their body is read. What it made is
kept in the same step of the broker as its jobs, so a process that ends in between has made both, or none.
"""

import asyncio
import hashlib
import json
import re
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from disyre.adapters.idempotency_keys import IdempotencyKeys
from disyre.candidate import Candidate
from disyre.documents import read_document
from disyre.errors import Unavailable
from disyre.frozen import Frozen
from disyre.intake.upload import Upload
from disyre.job import Job
from disyre.job_params import JobParams
from disyre.receipt import Receipt
from service.errors import IdempotencyMismatch, MalformedRequest

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
LONGEST_KEY: Final = 255
_KEY: Final = re.compile(rf'(?:"([ !#-\[\]-~]{{1,{LONGEST_KEY}}})"|([!#-\[\]-~]{{1,{LONGEST_KEY}}}))')
"""A string as RFC 9651 spells it, or the same without its quotes."""


class Outcome(Frozen):
    """What came of a submission."""

    fingerprint: str
    job_ids: tuple[str, ...]
    left_out: tuple[Candidate, ...] = ()
    warnings: tuple[str, ...] = ()

    def check(self, fingerprint: str) -> None:
        """Raise IdempotencyMismatch if this came of another submission."""
        if fingerprint != self.fingerprint:
            raise IdempotencyMismatch(
                f"expected the submission that this {HEADER} was used for, got other files or options"
            )


@dataclass(frozen=True)
class Ticket:
    """What a request may do with an idempotency key."""

    name: str
    holder: str
    earlier: Outcome | None
    """What came of it when it was used before."""

    def receipt(
        self,
        fingerprint: str,
        jobs: Sequence[Job],
        *,
        left_out: Sequence[Candidate] = (),
        warnings: Sequence[str] = (),
    ) -> Receipt:
        """What is to be kept of a submission that makes these jobs."""
        outcome = Outcome(
            fingerprint=fingerprint,
            job_ids=tuple(job.id for job in jobs),
            left_out=tuple(left_out),
            warnings=tuple(warnings),
        )
        return Receipt(self.name, self.holder, outcome.model_dump_json())


@dataclass(frozen=True)
class Once:
    """Gives requests what they may do with their idempotency keys."""

    keys: IdempotencyKeys
    hold_s: float = 12.0
    """So long after the end of a process that held a key, another request may have it."""
    _to_let_go: deque[tuple[str, str]] = field(default_factory=deque, init=False)
    """Keys, and who may hold them: requests that have ended while the broker did not answer."""

    @asynccontextmanager
    async def ticket(self, headers: Headers, owner: str) -> AsyncIterator[Ticket | None]:
        """Hold the key of a request for the length of a block; None if there is none in its headers.

        Raises MalformedRequest, StillReceiving, or Unavailable.
        """
        key = _given_key(headers)
        if key is None:
            yield None
            return
        name = f"{owner}:{hashlib.sha256(key.encode()).hexdigest()}"
        holder = secrets.token_hex(8)
        earlier = await run_in_threadpool(self._take_first, name, holder)
        ticket = Ticket(name, holder, read_document(Outcome, earlier) if earlier is not None else None)
        holding = asyncio.create_task(self._hold(ticket))
        try:
            yield ticket
        except Exception:
            self._to_let_go.append((name, holder))
            with suppress(Unavailable):
                await run_in_threadpool(self._let_go)
            raise
        finally:
            holding.cancel()

    def _take_first(self, name: str, holder: str) -> str | None:
        """Take a key. A broker that was stopped may do so when it goes on, for a request that has ended."""
        self._let_go()
        try:
            return self._take(name, holder)
        except Unavailable:
            self._to_let_go.append((name, holder))
            raise

    def _let_go(self) -> None:
        """Let go of what nobody is at any more. Raises Unavailable."""
        while self._to_let_go:
            with suppress(IndexError):  # another thread was quicker
                key = self._to_let_go.popleft()
                try:
                    self.keys.release(*key)
                except Unavailable:
                    self._to_let_go.append(key)
                    raise

    def _take(self, name: str, holder: str) -> str | None:
        return self.keys.take(name, holder, for_s=self.hold_s)

    async def _hold(self, ticket: Ticket) -> None:
        """Hold on to a key; whether that was in vain is seen when its jobs are added.

        It is asked for often enough to be held if a broker that is slow does not answer once.
        """
        while ticket.earlier is None:
            await asyncio.sleep(self.hold_s / 4)
            with suppress(Unavailable):
                await run_in_threadpool(self._take, ticket.name, ticket.holder)


def fingerprint_of(kind: str, upload: Upload, params: JobParams) -> str:
    """The same for the same files and options, however they are sent."""
    files = sorted(file.sha256 for file in upload.files)
    mask = upload.mask.sha256 if upload.mask is not None else None
    return _fingerprint({"kind": kind, "files": files, "mask": mask}, params)


def fingerprint_of_source(source: Mapping[str, str], params: JobParams) -> str:
    """The same for the same series of an archive and options, whatever the archive has of it by then."""
    return _fingerprint({"kind": "source", "source": dict(source)}, params)


def _fingerprint(of: Mapping[str, Any], params: JobParams) -> str:
    given = params.model_dump(mode="json", exclude_defaults=True)  # also by a later version
    content = {**of, "params": given}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _given_key(headers: Headers) -> str | None:
    """The key in a request's headers, without its quotes. Raises MalformedRequest."""
    given = headers.getlist(HEADER)
    if not given:
        return None
    found = _KEY.fullmatch(given[0].strip()) if len(given) == 1 else None
    if found is None:
        raise MalformedRequest(f"expected one {HEADER} of 1 to {LONGEST_KEY} visible ASCII characters")
    return found[1] or found[2]
