"""Clients that send the next request before the last one is answered."""

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.builders import make_job
from tests.live import wait_for
from tests.service.live_api import LiveApi, live_api
from tests.service.test_slow_clients import CountingJobStore, connected, read_to_the_end, refusal
from tests.service.test_slow_readers import is_connected

ASKS = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
ASKS_LAST = ASKS[:-2] + b"Connection: close\r\n\r\n"
ASKS_IN_CHUNKS = b"POST /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 "
MOST_WAITING = 16
CUT_OFF = "cut off: more than 16 requests wait for the answer to another"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    with live_api(tmp_path, stall_timeout_s=1) as api:
        yield api


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="service.deadline_protocol")
    return caplog


def asks_with_a_body(body: bytes) -> bytes:
    return b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def waits(path: str) -> bytes:
    return f"GET {path}?wait=25 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def send_in_vain(connection: socket.socket, sent: bytes) -> None:
    """Send what the server may not read to its end."""
    with suppress(OSError):
        connection.sendall(sent)


def test_sixteen_requests_may_wait_behind_the_one_that_is_under_way(api: LiveApi) -> None:
    with connected(api, ASKS * MOST_WAITING + ASKS_LAST) as connection:
        answers = read_to_the_end(connection)

    assert answers.count(OK) == MOST_WAITING + 1


def test_where_one_more_would_wait_the_one_under_way_is_answered_and_is_the_last(
    api: LiveApi, told: pytest.LogCaptureFixture
) -> None:
    with connected(api, ASKS * (MOST_WAITING + 2)) as connection:
        answers = read_to_the_end(connection)

    assert answers.count(b"HTTP/1.1 ") == answers.count(OK) == 1
    assert b"connection: close" in answers
    assert [record.getMessage() for record in told.records if record.name.startswith("service")] == [CUT_OFF]


def test_one_by_one_no_more_may_wait_than_at_once(tmp_path: Path, told: pytest.LogCaptureFixture) -> None:
    job, jobs = make_job(), CountingJobStore()
    jobs.add(job)
    with live_api(tmp_path, jobs=jobs) as api, connected(api, waits(f"/v1/jobs/{job.id}")) as connection:
        wait_for(lambda: jobs.n_reads > 1, "the poll waits")

        def is_cut() -> bool:
            send_in_vain(connection, ASKS)
            return CUT_OFF in told.messages

        wait_for(is_cut, "the client is cut off")


def test_who_floods_and_reads_nothing_is_in_nobodys_way(api: LiveApi) -> None:
    with ExitStack() as flood:
        for _ in range(20):
            connection = flood.enter_context(connected(api))
            connection.settimeout(0.1)
            send_in_vain(connection, ASKS * 5000)

        assert api.client.get("/livez", timeout=20).status_code == 200


def test_a_request_that_is_under_way_hears_that_the_client_is_gone_though_others_wait_behind_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job, jobs = make_job(), CountingJobStore()
    jobs.add(job)
    with live_api(tmp_path, jobs=jobs) as api:
        with connected(api, waits(f"/v1/jobs/{job.id}") + ASKS):
            wait_for(lambda: jobs.n_reads > 1, "the poll waits")
        jobs.update(job.id, lambda job: job.start(at=jobs.now()))
        time.sleep(0.5)

        assert api.client.get("/livez").status_code == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("body", [bytes(100_000), b"\r\n\r\n" * 25_000, b"\r\n\r\n" + bytes(100_000)])
def test_the_beginning_of_a_request_behind_a_long_body_keeps_the_answer_from_nobody(
    tmp_path: Path, body: bytes
) -> None:
    with live_api(tmp_path) as api, connected(api, asks_with_a_body(body) + ASKS_LAST[:30]) as connection:
        assert connection.recv(65536, socket.MSG_PEEK).startswith(b"HTTP/1.1 405 ")
        connection.sendall(ASKS_LAST[30:])
        answers = read_to_the_end(connection)

    assert answers.count(OK) == 1


def test_many_requests_and_the_beginning_of_one_more_are_no_long_head(tmp_path: Path) -> None:
    long = ASKS[:-2] + b"X-Long: " + b"a" * 10_000 + b"\r\n\r\n"
    with live_api(tmp_path) as api, connected(api, long * 10 + ASKS_LAST[:30]) as connection:
        connection.sendall(ASKS_LAST[30:])
        answers = read_to_the_end(connection)

    assert answers.count(OK) == 11


def test_a_head_without_end_behind_a_request_is_refused_or_cut_off(api: LiveApi) -> None:
    with connected(api, ASKS + b"GET /livez HTTP/1.1\r\nX-Long: " + b"a" * 70_000) as connection:
        wait_for(lambda: not is_connected(connection), "the connection is cut")


def test_no_http_in_the_body_of_one_that_waits_is_no_answer_to_the_one_before_it(tmp_path: Path) -> None:
    job, jobs = make_job(), CountingJobStore()
    jobs.add(job)
    with live_api(tmp_path, jobs=jobs) as api, connected(api, waits(f"/v1/jobs/{job.id}")) as connection:
        wait_for(lambda: jobs.n_reads > 1, "the poll waits")
        connection.sendall(ASKS_IN_CHUNKS + b"no number\r\n")

        assert read_to_the_end(connection) == b""


def test_no_http_behind_a_request_that_is_answered_is_refused(api: LiveApi) -> None:
    with connected(api, ASKS) as connection:
        assert connection.recv(65536).startswith(OK)
        connection.sendall(b"no HTTP\r\n\r\n")

        assert refusal(read_to_the_end(connection)) == (400, "malformed-request")
