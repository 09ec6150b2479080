"""Requests that offer another protocol, as Java and `curl --http2` do, are answered as if they did not."""

import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.builders import make_volume
from tests.service.conftest import nifti_bytes
from tests.service.live_api import LiveApi, live_api
from tests.service.test_pipelining import ASKS, ASKS_LAST, CUT_OFF, MOST_WAITING, OK
from tests.service.test_slow_clients import connected, read_to_the_end

OFFERS = [
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    b"Upgrade: TLS/1.2\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n",
]
SENDS = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
OFFERS_AND_ASKS = ASKS[:-2] + OFFERS[0] + b"\r\n"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    with live_api(tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return nifti_bytes(tmp_path_factory.mktemp("scan"), make_volume())


def sized(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(body: bytes) -> bytes:
    parts = [body[start : start + 1000] for start in range(0, len(body), 1000)]
    return b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(map(as_chunk, parts)) + b"0\r\n\r\n"


def as_chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


def answers_to(api: LiveApi, sent: bytes, *, at_once: int) -> bytes:
    """All answers to what is sent in packets of a size."""
    with connected(api) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), at_once):
            connection.sendall(sent[start : start + at_once])
            time.sleep(0.0005)
        return read_to_the_end(connection)


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("framed", [sized, chunked])
@pytest.mark.parametrize("at_once", [10**9, 20_000, 313])
def test_an_upload_with_an_offer_is_taken_whole_and_the_next_request_answered(
    api: LiveApi, scan: bytes, offer: bytes, framed: Callable[[bytes], bytes], at_once: int
) -> None:
    answers = answers_to(api, SENDS + offer + framed(scan) + ASKS_LAST, at_once=at_once)

    accepted, _, last = answers.partition(b"HTTP/1.1 200 ")
    assert accepted.startswith(b"HTTP/1.1 202 ")
    assert last.count(b"HTTP/1.1 ") == 0
    job = json.loads(accepted.partition(b"\r\n\r\n")[2])
    assert job["input"]["sha256"] == hashlib.sha256(scan).hexdigest()


@pytest.mark.parametrize("method", [b"POST /v1/queue", b"CONNECT /v1/queue"])
@pytest.mark.parametrize("at_once", [10**9, 200])
def test_a_body_that_looks_like_a_request_is_none(api: LiveApi, method: bytes, at_once: int) -> None:
    head = method + b" HTTP/1.1\r\nHost: localhost\r\n" + OFFERS[0]

    answers = answers_to(api, head + sized(ASKS * 10) + ASKS_LAST, at_once=at_once)

    assert answers.startswith(b"HTTP/1.1 405 ")
    assert answers.count(b"HTTP/1.1 ") == 2
    assert answers.count(OK) == 1


def test_requests_with_offers_may_wait_as_others_may(api: LiveApi) -> None:
    answers = answers_to(api, OFFERS_AND_ASKS * MOST_WAITING + ASKS_LAST, at_once=10**9)

    assert answers.count(OK) == answers.count(b"HTTP/1.1 ") == MOST_WAITING + 1


def test_no_more_of_them_may_wait_than_of_others(api: LiveApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="service.deadline_protocol")

    answers = answers_to(api, OFFERS_AND_ASKS * (MOST_WAITING + 2), at_once=10**9)

    assert answers.count(b"HTTP/1.1 ") == answers.count(OK) == 1
    assert CUT_OFF in caplog.messages


def test_an_offer_writes_nothing_to_the_log(api: LiveApi, caplog: pytest.LogCaptureFixture) -> None:
    answers_to(api, OFFERS_AND_ASKS + ASKS_LAST, at_once=10**9)

    assert [each for each in caplog.messages if "pgrade" in each] == []


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_who_offers_and_wants_to_be_the_last_is(api: LiveApi, version: bytes) -> None:
    head = b"GET /livez " + version + b"\r\nHost: localhost\r\nUpgrade: h2c\r\n"

    answers = answers_to(api, head + b"Connection: Upgrade, close\r\n\r\n", at_once=10**9)

    assert answers.startswith(OK)
    assert b"connection: close" in answers
