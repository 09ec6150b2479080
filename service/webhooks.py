"""The message that a job's end is told by, and its signature (Standard Webhooks)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Self, TypeAlias

from disyre.errors import Misconfigured
from disyre.job import Job
from disyre.job_state import JobState
from service.schemas import JOBS_PATH, JobLinks
from service.view import View

Secrets: TypeAlias = Sequence[bytes]
_PREFIX: Final = "whsec_"
_LEAST_BYTES: Final = 24


class EndedLinks(View):
    """Where the rest is."""

    self: str
    """The job, as a path below the root of the API."""
    results: str | None
    """The list of its files; null unless it has succeeded."""


class EndedJob(View):
    """The job that has ended."""

    id: str
    """Of the job."""
    state: JobState
    """How it has ended."""
    links: EndedLinks
    """Where to look for the rest."""


class EndedView(View):
    """What is told of a job that has ended: nothing of what was sent, and nothing that was found."""

    type: str
    """`job.` and the state in which it has ended."""
    timestamp: datetime
    """When it ended."""
    data: EndedJob
    """Which job it is."""

    @classmethod
    def of(cls, job: Job) -> Self:
        """View of a job that has ended."""
        links = JobLinks.of(f"{JOBS_PATH}/{job.id}", job.state)
        ended = EndedJob(id=job.id, state=job.state, links=EndedLinks(self=links.self, results=links.results))
        return cls(type=f"job.{job.state}", timestamp=job.finished_at or job.created_at, data=ended)


def read_secrets(path: Path) -> Secrets:
    """The secrets in a file, one a line, as `whsec_` and base64; all of them sign. Raises Misconfigured."""
    try:
        lines = path.read_text(encoding="ascii").split()
        secrets = [base64.b64decode(line.removeprefix(_PREFIX), validate=True) for line in lines]
    except (OSError, UnicodeError, binascii.Error):
        raise Misconfigured("DISYRE_WEBHOOK_SECRET_FILE cannot be read") from None
    if not secrets or not all(map(str.startswith, lines, [_PREFIX] * len(lines))):
        raise Misconfigured(f"expected DISYRE_WEBHOOK_SECRET_FILE to hold secrets that begin with {_PREFIX}")
    if min(map(len, secrets)) < _LEAST_BYTES:
        raise Misconfigured(f"expected secrets of webhooks to have at least {_LEAST_BYTES} bytes")
    return secrets


def body_of(job: Job) -> bytes:
    """The body of the message."""
    return EndedView.of(job).model_dump_json().encode()


def headers_of(job: Job, body: bytes, secrets: Secrets, at: datetime) -> dict[str, str]:
    """The headers of a message: its id is the same however often it is sent.

    The revision tells two ends of a job apart that was retried, also where no worker began it in between.
    """
    name, sent_at = f"{job.id}-{job.revision}-{job.state}", str(int(at.timestamp()))
    signed = f"{name}.{sent_at}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "disyre",
        "webhook-id": name,
        "webhook-timestamp": sent_at,
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }
