"""Events of a job over connections that break."""

import json

import pytest

from disyre.client import UnexpectedAnswer, Unreachable
from tests.disyre.client.scripted_api import HANGS_UP, Answer, scripted_api


def event(revision: int, state: str) -> bytes:
    data = json.dumps({"job_id": "a", "revision": revision, "state": state, "attempt": 1, "progress": None})
    return f"event: state\nid: {revision}\ndata: {data}\n\n".encode()


def stream(*parts: bytes) -> Answer:
    return Answer(body=b"".join(parts), headers={"Content-Type": "text/event-stream"})


def test_events_are_gone_on_with_after_the_last_that_came_and_none_comes_twice() -> None:
    """One connection ends in the middle of an event, one is never answered, one ends with the service."""
    cut = Answer(body=event(1, "queued") + event(2, "running"), sent=len(event(1, "queued")) + 20)
    rest = stream(b": still there\n\n", event(2, "running"))
    with scripted_api(cut, HANGS_UP, rest, stream(event(3, "failed"))) as api, api.client() as client:
        told = [(each.revision, each.state) for each in client.events("a")]

    assert told == [(1, "queued"), (2, "running"), (3, "failed")]
    assert [asked.headers.get("Last-Event-ID") for asked in api.asked] == [None, "1", "1", "2"]


def test_a_service_that_says_that_there_is_no_more_is_believed() -> None:
    """As after the end in a state that is not known here."""
    with scripted_api(stream(event(1, "resting")), Answer(204, body=b"")) as api, api.client() as client:
        assert [each.state for each in client.events("a")] == ["resting"]


def test_a_stream_that_brings_nothing_is_given_up() -> None:
    with (
        scripted_api(stream(), stream()) as api,
        api.client(retry_for_s=0.6) as client,
        pytest.raises(Unreachable, match="ended the stream of events before the end of the job"),
    ):
        next(client.events("a"))


@pytest.mark.parametrize("body", [b"data: odd\n\n", b"x" * 70_000])
def test_what_is_no_event_is_told_apart(body: bytes) -> None:
    with (
        scripted_api(stream(body)) as api,
        api.client() as client,
        pytest.raises(UnexpectedAnswer, match="expected events of the disyre API"),
    ):
        next(client.events("a"))
