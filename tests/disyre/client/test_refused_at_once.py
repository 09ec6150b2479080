"""What can be no request is refused before anything is sent, with what was expected, and not tried again."""

import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from disyre.client import Client, ClientError, NothingToSend, Refused, Unreachable
from disyre.client.connection import Call, Connection
from disyre.client.idempotency_key import read_idempotency_key
from service.openapi_headers import _KEY as FORM
from tests.disyre.client.scripted_api import document, job, scripted_api

SUBMISSIONS = [Client.submit, Client.study]
WRONG_KEYS = [
    *["", " ", "a\nb", "a\r\nX-Other: b", "a\n", " a", "a ", "a b", "schlüssel", "\udc80", "a\0", "\x7f"],
    *['"', '""', '"a', 'a"b', "a\\b", "x" * 256, b"a", 7, Path("a")],
]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(b"scan")
    return path


def test_a_pipe_is_no_scan(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (
        scripted_api() as api,
        api.client() as client,
        pytest.raises(NothingToSend, match="expected files, got a pipe"),
    ):
        client.submit(tmp_path / "pipe")
    assert api.asked == []


@pytest.mark.parametrize("call", [*SUBMISSIONS, Client.inspect])
@pytest.mark.parametrize("nothing", ["", [""], ("", "scan.nii.gz")])
def test_an_empty_text_is_no_scan(
    call: Callable[..., Any], nothing: Any, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scan.parent)
    with (
        scripted_api() as api,
        api.client() as client,
        pytest.raises(NothingToSend, match="expected the path of a scan, got an empty text"),
    ):
        call(client, nothing)

    assert (api.asked, api.pauses_s) == ([], [])


@pytest.mark.parametrize("call", [Client.submit, Client.inspect])
def test_an_empty_text_is_no_mask(call: Callable[..., Any], scan: Path) -> None:
    with (
        scripted_api() as api,
        api.client() as client,
        pytest.raises(NothingToSend, match="expected the path of a mask, got an empty text"),
    ):
        call(client, scan, mask="")

    assert api.asked == []


def test_an_empty_text_is_no_folder_for_results() -> None:
    with (
        scripted_api() as api,
        api.client() as client,
        pytest.raises(ClientError, match="expected a folder for the results, got an empty text"),
    ):
        client.results("a", "")

    assert api.asked == []


@pytest.mark.parametrize("here", [".", Path(), os.curdir])
def test_the_current_folder_is_sent_where_it_is_named(
    here: Path | str, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scan.parent)
    with scripted_api(job()) as api, api.client() as client:
        client.submit(here)

    assert api.asked[0].body == b"scan"


@pytest.mark.parametrize("call", SUBMISSIONS)
@pytest.mark.parametrize("key", WRONG_KEYS)
def test_what_cannot_be_an_idempotency_key_is_refused_and_not_repeated(
    call: Callable[..., Any], key: Any, scan: Path
) -> None:
    with (
        scripted_api() as api,
        api.client() as client,
        pytest.raises(ClientError, match="expected an idempotency_key of 1 to 255 visible ASCII") as told,
    ):
        call(client, scan, idempotency_key=key)

    assert not isinstance(told.value, Unreachable)
    assert (api.asked, api.pauses_s) == ([], [])
    assert "schl" not in str(told.value)


@pytest.mark.parametrize("key", ["a", "!#[]~", "x" * 255, '"a b"', '"' + "x" * 255 + '"'])
def test_any_key_that_the_api_takes_is_sent_as_it_is(key: str, scan: Path) -> None:
    with scripted_api(job()) as api, api.client() as client:
        client.submit(scan, idempotency_key=key)

    assert api.asked[0].headers["Idempotency-Key"] == key


def test_the_form_of_an_idempotency_key_is_that_of_the_contract() -> None:
    for text in [*(each for each in WRONG_KEYS if isinstance(each, str)), "a", '"a b"', "x" * 255]:
        is_taken = re.fullmatch(FORM, text) is not None
        try:
            assert (read_idempotency_key(text) == text) is is_taken
        except ClientError:
            assert not is_taken, text


def test_without_an_idempotency_key_each_submission_has_one_of_its_own(scan: Path) -> None:
    with scripted_api(job(), job()) as api, api.client() as client:
        client.submit(scan)
        client.submit(scan, idempotency_key=None)

    one, other = (asked.headers["Idempotency-Key"] for asked in api.asked)
    assert one != other


@pytest.mark.parametrize("name", ["created_after", "created_before"])
@pytest.mark.parametrize("at", ["2026-01-31T12:00Z", date(2026, 1, 31), 0, ""])
def test_a_time_that_is_no_datetime_is_refused_before_the_first_page_is_asked_for(name: str, at: Any) -> None:
    with (
        scripted_api() as api,
        api.client() as client,
        pytest.raises(ClientError, match=f"expected a datetime as {name}, got {type(at).__name__}"),
    ):
        client.list(**{name: at})

    assert api.asked == []


def test_a_time_that_there_is_not_in_utc_is_refused() -> None:
    with (
        Client() as client,
        pytest.raises(ClientError, match="expected a datetime as created_after that there is in UTC"),
    ):
        client.list(created_after=datetime.min.replace(tzinfo=timezone(timedelta(hours=1))))


def test_a_datetime_is_sent_in_utc() -> None:
    with scripted_api(document({"jobs": []})) as api, api.client() as client:
        assert list(client.list(created_after=datetime(2026, 1, 31, tzinfo=UTC))) == []

    assert "created_after=2026-01-31T00%3A00%3A00%2B00%3A00" in api.asked[0].path


def test_a_request_that_cannot_be_written_is_told_of_and_not_tried_again(scan: Path) -> None:
    with scripted_api() as api:
        connection = Connection(api.url, key=None, retry_for_s=60, sleep=api.pauses_s.append)
        for headers in ({"X-Odd": "secret\nX-Other: b"}, {"X-Odd": "secrät"}):
            with pytest.raises(ClientError, match="can be sent in an HTTP request") as told:
                connection.ask(Call("GET", "/v1/queue", headers=headers))
            assert type(told.value) is ClientError
            assert "secr" not in str(told.value)
        connection.close()

    assert (api.asked, api.pauses_s) == ([], [])


@pytest.mark.parametrize("model", ["x" * 70_000, "\udc80"])
def test_an_option_that_no_address_can_have_is_told_of(model: str, scan: Path) -> None:
    with scripted_api() as api, api.client() as client, pytest.raises(ClientError) as told:
        client.submit(scan, model=model)

    assert not isinstance(told.value, Refused | Unreachable)
    assert (api.asked, api.pauses_s) == ([], [])
