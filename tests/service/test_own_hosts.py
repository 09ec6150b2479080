"""An API that asks for no keys takes requests of its own machine, and of no web page that is elsewhere."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from disyre.errors import Misconfigured
from service.own_hosts import OwnHosts
from tests.builders import JOB_ID
from tests.service.key_files import write_keys
from tests.service.live_api import PATIENCE_S, LiveApi, live_api
from tests.service.refused import check_refused
from tests.service.test_upload_limits import make_head

CANCEL = f"/v1/jobs/{JOB_ID}/cancel"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    with live_api(
        tmp_path_factory.mktemp("api"), allowed_hosts="pacs.example, 192.0.2.1,[2001:db8::1]"
    ) as api:
        yield api


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:1",
        "localhost.",
        "127.0.0.1:8000",
        "127.9.9.9",
        "[::1]:8000",
        "[::1]",
        "PACS.example:443",
        "192.0.2.1",
        "[2001:db8::1]:80",
    ],
)
def test_a_host_of_this_machine_or_of_the_operators_list_is_taken(api: LiveApi, host: str) -> None:
    assert api.client.get("/v1/queue", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.localhost",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "a:b",
        "[::2]",
        "127.1",
        "0.0.0.0",
        "evil.example:80",
        "evil.example@localhost",
        "localhost:8000@evil.example",
    ],
)
def test_a_page_whose_name_was_made_to_lead_here_reads_and_does_nothing(api: LiveApi, host: str) -> None:
    for method, path in (
        ("GET", "/v1/jobs"),
        ("GET", f"/v1/jobs/{JOB_ID}"),
        ("POST", "/v1/jobs"),
        ("GET", "/metrics"),
    ):
        answer = api.client.request(method, path, headers={"Host": host})

        check_refused(api, answer, 421, "foreign-host")
        assert "DISYRE_ALLOWED_HOSTS" in answer.json()["detail"]
        assert host not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[evil"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_no_page_of_another_origin_submits_or_cancels(api: LiveApi, headers: dict[str, str]) -> None:
    headers = {"Host": "localhost", **headers}

    for method, path in (("POST", "/v1/jobs"), ("POST", CANCEL), ("DELETE", f"/v1/jobs/{JOB_ID}")):
        check_refused(api, api.client.request(method, path, headers=headers), 403, "foreign-origin")
    assert api.client.get("/v1/queue", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://pacs.example"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_page_of_its_own_may_ask_for_everything(api: LiveApi, headers: dict[str, str]) -> None:
    answer = api.client.post(CANCEL, headers={"Host": "localhost", **headers})

    assert answer.json()["code"] == "job-not-found"


def test_a_foreign_page_is_refused_before_its_body_is_read(api: LiveApi) -> None:
    head = make_head("Content-Length: 300000000", "Expect: 100-continue", "Origin: https://evil.example")

    with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
        connection.sendall(head)
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b'"code":"foreign-origin"' in answer


def test_with_keys_nobody_looks_where_a_request_was_sent_from(tmp_path: Path) -> None:
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path)) as api:
        headers = {"Host": "evil.example", "Origin": "https://evil.example", "X-API-Key": "pacs"}

        assert api.client.get("/v1/queue", headers=headers).status_code == 200
        assert api.client.post(CANCEL, headers=headers).status_code == 404


@pytest.mark.parametrize("text", ["a b", "https://a.example", "a.example:80", "*", "ä.example"])
def test_a_list_with_something_that_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="DISYRE_ALLOWED_HOSTS"):
        OwnHosts.read(text)
