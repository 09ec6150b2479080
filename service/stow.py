"""STOW-RS: DICOM instances are sent to an archive, which says of each whether it has it (PS3.18, 10.5)."""

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

import httpx

from disyre.export import SentInstance
from service.dicom_instances import DicomInstance
from service.dicomweb import unreached
from service.pacs import PacsServer

_AT_ONCE_BYTES: Final = 16 * 1024**2
_AT_ONCE: Final = 100
_PIECE_BYTES: Final = 64 * 1024
_LONGEST_ANSWER_BYTES: Final = 4 * 1024**2
_REFERENCED, _FAILED = "00081199", "00081198"
_INSTANCE, _REASON = "00081155", "00081197"
_LATER: Final = {408, 425, 429}
"""Statuses after which it is worth while to try again, beside those of 5xx."""
_OF_INSTANCES: Final = {200, 202, 409}
"""Statuses of answers that say what became of each instance."""

Sent: TypeAlias = tuple[SentInstance, ...]
Batch: TypeAlias = list[DicomInstance]


class PacsAway(Exception):
    """The archive does not answer, or asks to come back later: the message says how, and nothing of data."""


class PacsRefused(Exception):
    """The archive does not take it, and will not: the message says how, and nothing of data."""


def batches(instances: Iterable[DicomInstance]) -> Iterator[Batch]:
    """Instances in requests of a length that does not take long."""
    batch: Batch = []
    for instance in instances:
        size = sum(each.size_bytes for each in batch)
        if batch and (size + instance.size_bytes > _AT_ONCE_BYTES or len(batch) == _AT_ONCE):
            yield batch
            batch = []
        batch.append(instance)
    if batch:
        yield batch


def store(client: httpx.Client, server: PacsServer, batch: Sequence[DicomInstance]) -> Sent:
    """Send instances in one request, and give what became of each. Raises PacsAway or PacsRefused."""
    boundary = f"disyre-{secrets.token_hex(16)}"
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    end = f"--{boundary}--\r\n".encode()
    length = sum(len(head) + each.size_bytes + 2 for each in batch) + len(end)
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Content-Length": str(length),
        "Accept": "application/dicom+json",
    }
    body = chain(chain.from_iterable(_part(head, each) for each in batch), [end])
    try:
        with client.stream("POST", f"{server.root}/studies", content=body, headers=headers) as answer:
            return _outcome(answer.status_code, _read(answer), batch)
    except httpx.TimeoutException as error:
        raise PacsAway("the archive did not answer in time") from error
    except OSError as error:  # of a job that is being deleted
        raise PacsAway("the results cannot be read now") from error
    except httpx.HTTPError as error:
        raise PacsAway(unreached(error)) from error


def _part(head: bytes, instance: DicomInstance) -> Iterator[bytes]:
    yield head
    with instance.opened() as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
    yield b"\r\n"


def _read(answer: httpx.Response) -> bytes:
    """The body of an answer, up to what one may have."""
    body = b""
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > _LONGEST_ANSWER_BYTES:
            raise PacsRefused("the archive answered with more than an answer has")
    return body


def _outcome(status: int, body: bytes, batch: Sequence[DicomInstance]) -> Sent:
    if status >= 500 or status in _LATER:
        raise PacsAway(f"the archive answered {status}")
    if status not in _OF_INSTANCES:
        raise PacsRefused(f"the archive answered {status}")
    try:
        said = json.loads(body)
        stored = {each[_INSTANCE]["Value"][0] for each in _items(said, _REFERENCED)}
        failed = {each[_INSTANCE]["Value"][0]: _reason(each) for each in _items(said, _FAILED)}
    except (ValueError, TypeError, LookupError, AttributeError):
        raise PacsRefused(f"the archive answered {status}, but not with DICOM JSON (PS3.18, 10.5)") from None
    return tuple(
        SentInstance(
            sop_class_uid=each.sop_class_uid,
            sop_instance_uid=each.sop_instance_uid,
            stored=each.sop_instance_uid in stored,
            reason=failed.get(each.sop_instance_uid),
        )
        for each in batch
    )


def _items(said: Any, tag: str) -> list[dict[str, Any]]:
    """The items of a sequence in DICOM JSON; none if it is not there."""
    found: list[dict[str, Any]] = said.get(tag, {}).get("Value", [])
    return found


def _reason(item: dict[str, Any]) -> str | None:
    """The Failure Reason of an instance."""
    values = item.get(_REASON, {}).get("Value", [])
    return f"{int(values[0]):04X}" if values else None
