"""Clients that take their time: cut off with a reason, and in nobody's way."""

import json
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.job import Job
from service.drain import Drain
from service.errors import UploadTimedOut
from service.pace import paced
from tests.builders import JOB_ID, make_job
from tests.live import wait_for
from tests.service.live_api import PATIENCE_S, LiveApi, live_api
from tests.service.test_upload_limits import make_head, make_nifti_head


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    """An API that waits a second for slow clients."""
    with live_api(tmp_path_factory.mktemp("api"), stall_timeout_s=1) as api:
        yield api


@contextmanager
def connected(api: LiveApi, sent: bytes = b"") -> Iterator[socket.socket]:
    with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
        connection.sendall(sent)
        yield connection


def read_to_the_end(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection, in any way: who sends on is reset."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return bytes(received)


def refusal(answer: bytes) -> tuple[int, Any]:
    """Status and problem document of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"x-request-id: " in head
    return int(head.split()[1]), json.loads(body)["code"]


@contextmanager
def sending(connection: socket.socket, part: bytes, *, every_s: float) -> Iterator[None]:
    """Go on sending, until the block ends or the connection is closed."""
    done = threading.Event()

    def send() -> None:
        with suppress(OSError):
            while not done.wait(every_s):
                connection.sendall(part)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        done.set()
        sender.join()


class SlowJobStore(InMemoryJobStore):
    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = threading.Event(), threading.Event()

    def get(self, job_id: str) -> Job:
        self.asked.set()
        self.go_on.wait()
        return super().get(job_id)


class CountingJobStore(InMemoryJobStore):
    n_reads = 0

    def get(self, job_id: str) -> Job:
        self.n_reads += 1
        return super().get(job_id)


def test_who_sends_half_a_head_is_told_so_and_cut_off(api: LiveApi) -> None:
    with connected(api, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow:") as connection:
        assert refusal(read_to_the_end(connection)) == (408, "head-timed-out")


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n"])
def test_who_sends_nothing_is_cut_off(api: LiveApi, sent: bytes) -> None:
    with connected(api, sent) as connection:
        assert read_to_the_end(connection) == b""


def test_a_byte_now_and_then_lengthens_no_deadline(api: LiveApi) -> None:
    with connected(api, b"GET /livez HTTP/1.1\r\nX-Slow: ") as connection:
        connection.settimeout(0.2)
        deadline = time.monotonic() + PATIENCE_S
        answer = b""
        while not answer:
            assert time.monotonic() < deadline
            connection.sendall(b"a")
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                continue

    assert refusal(answer) == (408, "head-timed-out")


def test_the_second_head_on_a_connection_has_a_deadline_too(api: LiveApi) -> None:
    with connected(api, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HT") as connection:
        answer = read_to_the_end(connection)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 408 ") == 1


def test_half_a_head_behind_a_request_that_takes_long_does_not_disturb_its_answer(api: LiveApi) -> None:
    upload = make_head("Content-Length: 4000") + make_nifti_head() + bytes(4000 - 352)
    with connected(api, upload + b"GET /livez HT") as connection:
        answer = read_to_the_end(connection)

    assert b"HTTP/1.1 422 " in answer or b"HTTP/1.1 415 " in answer


def test_a_head_without_end_is_refused(api: LiveApi) -> None:
    with connected(api, b"GET /livez HTTP/1.1\r\n") as connection:
        for n in range(17):
            connection.sendall(b"X-%d: " % n + b"a" * 4000 + b"\r\n")

        assert refusal(read_to_the_end(connection)) == (431, "head-too-large")


@pytest.mark.parametrize(
    ("head_bytes", "status"), [(65_000, 200), (65_600, 431), (70_000, 431), (200_000, 431)]
)
def test_a_head_of_more_than_64_kib_is_refused_though_it_comes_at_once_with_its_end(
    api: LiveApi, head_bytes: int, status: int
) -> None:
    begins, ends = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Long: ", b"\r\n\r\n"
    with connected(api, begins + b"a" * (head_bytes - len(begins) - len(ends)) + ends) as connection:
        answer = read_to_the_end(connection)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert status == 200 or refusal(answer) == (431, "head-too-large")


def test_what_is_no_http_is_refused_with_a_problem_document(api: LiveApi) -> None:
    with connected(api, b"hello\r\n\r\n") as connection:
        assert refusal(read_to_the_end(connection)) == (400, "malformed-request")


def test_a_body_that_is_no_http_is_refused_and_leaves_nothing(api: LiveApi) -> None:
    with connected(api, make_head("Transfer-Encoding: chunked")) as connection:
        wait_for(api.left_behind, "the upload has begun")
        connection.sendall(b"no number\r\n")

        assert refusal(read_to_the_end(connection)) == (400, "malformed-request")
    wait_for(api.holds_nothing, "the upload is gone")


def test_no_http_behind_a_request_is_no_answer_to_it(tmp_path: Path) -> None:
    jobs = CountingJobStore()
    jobs.add(make_job())
    poll = f"GET /v1/jobs/{JOB_ID}?wait=25 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with live_api(tmp_path, jobs=jobs) as api, connected(api, poll) as connection:
        wait_for(lambda: jobs.n_reads > 1, "the poll waits")
        connection.sendall(b"no HTTP\r\n\r\n")

        assert read_to_the_end(connection) == b""


def test_a_body_that_stalls_is_given_up(api: LiveApi) -> None:
    with connected(api, make_head("Content-Length: 10000000") + make_nifti_head()) as connection:
        answer = connection.recv(65536)

    assert b'"code":"upload-timed-out"' in answer
    assert answer.startswith(b"HTTP/1.1 408 ")
    wait_for(api.holds_nothing, "the upload is gone")


def test_a_hundred_slow_clients_are_in_nobodys_way(tmp_path: Path, scan: bytes) -> None:
    head = make_head("Content-Length: 10000000") + make_nifti_head()
    with live_api(tmp_path) as api, ExitStack() as stack:
        slow = [stack.enter_context(connected(api, head)) for _ in range(100)]
        wait_for(lambda: len(list((api.root / "incoming").iterdir())) == len(slow), "all uploads have begun")

        assert api.client.post("/v1/jobs", content=scan).status_code == 202
        assert api.client.get("/v1/jobs").status_code == 200


def test_who_waits_for_news_is_answered_when_the_process_is_to_stop(tmp_path: Path) -> None:
    job, jobs = make_job(), CountingJobStore()
    jobs.add(job)
    answers: list[httpx.Response] = []
    with httpx.Client(timeout=2 * PATIENCE_S) as client:
        with live_api(tmp_path, jobs=jobs) as api:
            url = api.client.base_url.join(f"/v1/jobs/{job.id}?wait=25")
            poll = threading.Thread(target=lambda: answers.append(client.get(url)))
            poll.start()
            wait_for(lambda: jobs.n_reads > 1, "the poll waits")
            stopped_at = time.monotonic()
        poll.join()

    assert [(each.status_code, each.json()["state"]) for each in answers] == [(200, "queued")]
    assert time.monotonic() - stopped_at < PATIENCE_S


def test_an_upload_that_does_not_end_before_the_process_stops_is_told_so_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        with live_api(tmp_path, shutdown_grace_s=4.0) as api:
            head = make_head("Content-Length: 10000000") + make_nifti_head()
            connection = stack.enter_context(connected(api, head))
            wait_for(lambda: list((api.root / "incoming").iterdir()), "the upload has begun")
        answer = read_to_the_end(connection)

    assert refusal(answer) == (503, "unavailable")
    assert b"retry-after: " in answer.lower()
    assert api.left_behind() == []


@pytest.mark.parametrize("grace_s", [0.0, 2.0])
def test_an_upload_that_goes_on_while_the_process_stops_is_told_so_whatever_time_there_is(
    tmp_path: Path, grace_s: float
) -> None:
    with ExitStack() as stack:
        with live_api(tmp_path, shutdown_grace_s=grace_s) as api:
            head = make_head("Content-Length: 10000000") + make_nifti_head()
            connection = stack.enter_context(connected(api, head))
            stack.enter_context(sending(connection, bytes(1000), every_s=0.05))
            wait_for(lambda: list((api.root / "incoming").iterdir()), "the upload has begun")
        answer = read_to_the_end(connection)

    assert refusal(answer) == (503, "unavailable")
    assert api.left_behind() == []


def test_a_client_that_still_sends_a_refused_body_is_answered_when_the_process_stops(tmp_path: Path) -> None:
    refused = make_head("Content-Length: 10000000", "Content-Type: application/pdf")
    with ExitStack() as stack:
        with live_api(tmp_path, shutdown_grace_s=2.0) as api:
            connection = stack.enter_context(connected(api, refused))
            stack.enter_context(sending(connection, bytes(1000), every_s=0.05))
            time.sleep(0.5)  # what is refused is read on by then
        answer = read_to_the_end(connection)

    assert refusal(answer) == (415, "unsupported-media-type")


def test_a_call_that_is_not_done_when_the_process_ends_is_told_so(tmp_path: Path) -> None:
    jobs = SlowJobStore()
    answers: list[httpx.Response] = []
    with httpx.Client(timeout=PATIENCE_S) as client:
        with live_api(tmp_path, jobs=jobs, shutdown_grace_s=0.0) as api:
            url = api.client.base_url.join(f"/v1/jobs/{JOB_ID}")
            call = threading.Thread(target=lambda: answers.append(client.get(url)))
            call.start()
            wait_for(jobs.asked.is_set, "the call waits")
            threading.Timer(2.0, jobs.go_on.set).start()
        call.join()

    assert [(each.status_code, each.json()["code"]) for each in answers] == [(503, "unavailable")]
    assert answers[0].headers["X-Request-ID"]


def test_who_comes_when_the_process_is_to_stop_is_told_at_once() -> None:
    told: list[str] = []
    drain = Drain()
    with drain.waking(lambda: told.append("first")):
        drain.begin()
        drain.begin()
        with drain.waking(lambda: told.append("second")):
            pass
    drain.begin()

    assert told == ["first", "first", "second"]


async def trickle(n_chunks: int, chunk: bytes, every_s: float) -> AsyncGenerator[bytes, None]:
    for _ in range(n_chunks):
        await anyio.sleep(every_s)
        yield chunk


async def received(chunks: AsyncGenerator[bytes, None], *, within_s: float, work_s: float = 0.0) -> int:
    total = 0
    async for chunk in paced(chunks, within_s=within_s):
        total += len(chunk)
        await anyio.sleep(work_s)
    return total


def test_a_steady_client_may_take_as_long_as_it_likes() -> None:
    async def run() -> int:
        return await received(trickle(20, bytes(1024), 0.02), within_s=0.2)

    assert anyio.run(run) == 20 * 1024


def test_a_client_that_trickles_is_cut_off() -> None:
    async def run() -> int:
        return await received(trickle(1000, b"a", 0.02), within_s=0.2)

    with pytest.raises(UploadTimedOut, match=r"expected at least 204.8 bytes within 0.2 s"):
        anyio.run(run)


def test_the_time_that_the_disk_takes_is_not_the_clients_fault() -> None:
    async def run() -> int:
        return await received(trickle(10, b"a", 0), within_s=0.2, work_s=0.05)

    assert anyio.run(run) == 10
