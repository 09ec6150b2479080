"""The events of a job (server-sent events), over as many connections as it takes."""

from collections.abc import Iterator
from typing import Final

from pydantic import ValidationError

from disyre.client.connection import Call, Connection
from disyre.client.errors import UnexpectedAnswer, Unreachable
from disyre.client.job_documents import EventDocument

_DATA: Final = b"data:"
_LONGEST_LINE: Final = 64 * 1024
"""Bytes; an event has a few hundred."""


def events(connection: Connection, path: str) -> Iterator[EventDocument]:
    """Each change of a job, up to its end; none twice, though connections break or the service restarts.

    Raises UnexpectedAnswer, Refused or Unreachable.
    """
    heard_of = 0
    patience = connection.patience()
    while True:
        before = heard_of
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": f"{heard_of}"} if heard_of else {})}
        try:
            with connection.stream(Call("GET", path, headers=headers)) as answer:
                if answer.is_empty:  # the end is known already
                    return
                for event in map(_read, _data(answer.pieces)):
                    heard_of = event.revision
                    yield event
                    if event.is_finished:
                        return
            lost = Unreachable("the service ended the stream of events before the end of the job")
        except Unreachable as error:
            lost = error
        if heard_of > before:
            patience = connection.patience()
            continue
        patience.pause(lost)


def _data(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What the events in a stream say. Raises UnexpectedAnswer."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(_DATA):
                yield line.removeprefix(_DATA)
        if len(rest) > _LONGEST_LINE:
            raise UnexpectedAnswer("expected events of the disyre API, got a line without an end")


def _read(data: bytes) -> EventDocument:
    try:
        return EventDocument.model_validate_json(data)
    except ValidationError as error:
        raise UnexpectedAnswer("expected events of the disyre API, got others") from error
