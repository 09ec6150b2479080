"""When the client asks again, and when it must not."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Final

import pytest

from disyre.client import (
    Busy,
    Client,
    ClientError,
    Conflict,
    ConnectionLost,
    FieldErrorDocument,
    FileChanged,
    Gone,
    InvalidRequest,
    JobDocument,
    NotAuthorized,
    NotFound,
    Refused,
    ServerFault,
    UnexpectedAnswer,
    Unreachable,
)
from disyre.client.connection import Call, Connection
from tests.disyre.client.scripted_api import HANGS_UP, Answer, document, job, problem, scripted_api
from tests.live import free_port

KNOWS_KEYS = document({"paths": {"/v1/jobs": {"post": {"parameters": [{"name": "Idempotency-Key"}]}}}})


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(b"scan")
    return path


@pytest.mark.parametrize("status", [429, 503])
def test_what_is_refused_for_now_is_sent_again_when_the_answer_says(scan: Path, status: int) -> None:
    with scripted_api(problem(status, Retry_After="7"), job()) as api, api.client() as client:
        assert client.submit(scan).state == "queued"

    assert api.pauses_s == [7]
    assert [asked.body for asked in api.asked] == [b"scan", b"scan"]
    assert api.asked[0].headers["Idempotency-Key"] == api.asked[1].headers["Idempotency-Key"]


def test_a_scan_that_is_still_received_over_another_connection_is_waited_for(scan: Path) -> None:
    busy = problem(409, "still-receiving", Retry_After="2")
    with scripted_api(HANGS_UP, KNOWS_KEYS, busy, job()) as api, api.client() as client:
        assert client.submit(scan).state == "queued"

    assert api.pauses_s == [0.5, 2]


def test_an_answer_may_name_a_date_to_ask_again() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    with scripted_api(problem(503, Retry_After=at), job()) as api, api.client() as client:
        client.job("a")

    (pause_s,) = api.pauses_s
    assert 0.5 <= pause_s <= 20


def test_a_service_that_may_be_asked_again_at_once_is_not_stormed() -> None:
    with scripted_api(problem(503, Retry_After="0"), job()) as api, api.client() as client:
        client.job("a")

    assert api.pauses_s == [0.5]


def test_pauses_grow_where_no_answer_says_how_long_they_are() -> None:
    with scripted_api(problem(503), HANGS_UP, problem(502), job()) as api, api.client() as client:
        client.job("a")

    assert api.pauses_s == [0.5, 1, 2]


def test_patience_has_an_end_and_the_last_reason_is_told() -> None:
    busy = problem(429, "rate-limited", Retry_After="6")
    with (
        scripted_api(busy, busy) as api,
        api.client(retry_for_s=10) as client,
        pytest.raises(Busy, match="429 rate-limited: it is odd") as told,
    ):
        client.queue()

    assert (told.value.problem.code, told.value.retry_after_s) == ("rate-limited", 6)
    assert len(api.asked) == 2


def test_a_service_that_is_not_there_is_looked_for_as_long_as_patience_lasts(scan: Path) -> None:
    pauses_s: list[float] = []
    url = f"http://127.0.0.1:{free_port()}"
    with (
        Client(url, retry_for_s=4, sleep=pauses_s.append, clock=lambda: sum(pauses_s)) as client,
        pytest.raises(Unreachable, match=f"at {url}, got no connection: Connection refused"),
    ):
        client.submit(scan)

    assert pauses_s == [0.5, 1, 2]


def test_a_connection_that_breaks_is_no_reason_to_give_up_what_only_reads(scan: Path) -> None:
    cut = Answer(body=b'{"id": "a", "state": "queued"}', sent=5)
    with (
        scripted_api(HANGS_UP, cut, job(), HANGS_UP, document({"volumes": []})) as api,
        api.client() as client,
    ):
        assert client.job("a").state == "queued"
        assert client.inspect(scan).volumes == ()

    assert len(api.asked) == 5


@pytest.mark.parametrize(
    "contract", [document({"paths": {}}), document([]), problem(404), Answer(body=b"no")]
)
def test_a_scan_whose_answer_was_lost_is_not_sent_twice(scan: Path, contract: Answer) -> None:
    with (
        scripted_api(HANGS_UP, contract) as api,
        api.client() as client,
        pytest.raises(ConnectionLost, match="may have done what was asked"),
    ):
        client.submit(scan)

    assert [asked.method for asked in api.asked] == ["POST", "GET"]


@pytest.mark.parametrize("lost", [HANGS_UP, problem(504)])
def test_a_service_that_knows_idempotency_keys_is_sent_the_scan_again_with_the_same(
    scan: Path, lost: Answer
) -> None:
    with scripted_api(lost, KNOWS_KEYS, job()) as api, api.client() as client:
        client.submit(scan, idempotency_key="mine")

    assert [asked.path for asked in api.asked] == ["/v1/jobs", "/openapi.json", "/v1/jobs"]
    assert [asked.headers.get("Idempotency-Key") for asked in api.asked] == ["mine", None, "mine"]


def test_a_proxy_that_lost_the_answer_to_a_scan_is_told_of(scan: Path) -> None:
    with (
        scripted_api(Answer(502, b"<html>"), document({})) as api,
        api.client() as client,
        pytest.raises(ServerFault, match=r"http-502: http://127\.0\.0\.1:\d+ answered without saying why"),
    ):
        client.submit(scan)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *[(401, NotAuthorized), (403, NotAuthorized), (404, NotFound), (409, Conflict), (410, Gone)],
        *[(413, InvalidRequest), (422, InvalidRequest), (500, ServerFault), (507, Busy)],
    ],
)
def test_each_refusal_has_a_type_and_its_problem_document(status: int, kind: type[Refused]) -> None:
    said = {"status": status, "code": "odd", "detail": "it is odd", "errors": [{"field": "a"}], "new": 1}
    with (
        scripted_api(document(said, status=status)) as api,
        api.client() as client,
        pytest.raises(kind, match=f"{status} odd: it is odd") as told,
    ):
        client.job("a")

    assert type(told.value) is kind
    assert told.value.problem.errors == (FieldErrorDocument(field="a"),)
    assert told.value.problem.model_extra == {"new": 1}
    assert api.pauses_s == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(body=b"<html>Welcome"), "expected a document of the disyre API"),
        (Answer(302, headers={"Location": "http://elsewhere/"}), "got a 302 of http://127.0.0.1:"),
        (document({"jobs": []}), "expected a document of the disyre API"),
    ],
)
def test_what_is_no_answer_of_the_api_is_told_apart(answer: Answer, reason: str) -> None:
    with scripted_api(answer) as api, api.client() as client, pytest.raises(UnexpectedAnswer, match=reason):
        client.job("a")


@pytest.mark.parametrize(
    ("call", "states"),
    [(Client.cancel, ["canceled", "canceling"]), (Client.retry, ["queued", "running", "succeeded"])],
)
def test_what_the_lost_sending_did_is_done(
    call: Callable[[Client, str], JobDocument], states: list[str]
) -> None:
    for state in states:
        with scripted_api(HANGS_UP, problem(409), job(state)) as api, api.client() as client:
            assert call(client, "a").state == state


@pytest.mark.parametrize("call", [Client.cancel, Client.retry])
@pytest.mark.parametrize("answers", [[problem(409)], [HANGS_UP, problem(409), job("failed")]])
def test_what_no_sending_can_have_done_is_not_said_to_be_done(
    call: Callable[[Client, str], JobDocument], answers: list[Answer]
) -> None:
    with scripted_api(*answers) as api, api.client() as client, pytest.raises(Conflict):
        call(client, "a")


def test_a_job_that_the_lost_sending_deleted_is_deleted() -> None:
    with scripted_api(HANGS_UP, problem(404)) as api, api.client() as client:
        client.delete("a")


def test_a_job_that_was_never_there_cannot_be_deleted() -> None:
    with scripted_api(problem(404)) as api, api.client() as client, pytest.raises(NotFound):
        client.delete("a")


def test_the_key_is_sent_with_every_request_and_is_in_no_error() -> None:
    with scripted_api(job(), problem(401)) as api, api.client(key="secret") as client:
        client.job("a")
        with pytest.raises(NotAuthorized) as told:
            client.job("a")

    assert [asked.headers["X-API-Key"] for asked in api.asked] == ["secret", "secret"]
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "", "http://a:b"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ClientError, match=r"expected the address of an API, such as http://127\.0\.0\.1"):
        Client(url)


@pytest.mark.parametrize("url", ["http://localhost:1", "https://example.org/disyre", "http://192.0.2.1"])
def test_any_address_of_http_is_taken(url: str) -> None:
    Client(url).close()


def test_a_file_is_measured_anew_each_time_that_it_is_sent(scan: Path) -> None:
    def grow(_: float) -> None:
        with scan.open("ab") as file:
            file.write(b"more")

    with scripted_api(problem(503), job()) as api, Client(api.url, sleep=grow) as client:
        client.submit(scan)

    assert [asked.body for asked in api.asked] == [b"scan", b"scanmore"]


class Changing:
    """A body that turns out to be of another length than was measured."""

    query: Final[dict[str, str]] = {}

    def __init__(self, measured: int) -> None:
        self.headers = {"Content-Length": str(measured)}

    def __iter__(self) -> Iterator[bytes]:
        yield b"four"


@pytest.mark.parametrize("measured", [3, 5])
def test_a_file_that_changes_while_it_is_sent_is_told_of(measured: int) -> None:
    with scripted_api(job()) as api:
        connection = Connection(api.url, key=None, retry_for_s=0)
        with pytest.raises(FileChanged, match="a file became shorter or longer while it was sent"):
            connection.ask(Call("POST", "/v1/jobs", body=Changing(measured)))
        connection.close()


@pytest.mark.parametrize(
    ("status", "code"),
    [(502, "archive-answer"), (502, "series-incomplete"), (504, "archive-timed-out")],
)
def test_what_the_service_says_of_an_archive_is_its_last_word(status: int, code: str) -> None:
    answers = scripted_api(problem(status, code))
    with answers as api, api.client() as client, pytest.raises(ServerFault, match=code):
        client.pull("pacs1", "1.2", "1.3")

    assert len(api.asked) == 1
