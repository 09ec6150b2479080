"""Who is let in: nobody without a key, nobody to what the key is not for, and before a body is read."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from disyre.adapters.settings import EX_CONFIG
from service.middleware import MOST_READ_AFTER_REFUSAL_BYTES
from tests.builders import JOB_ID
from tests.live import ROOT
from tests.service.key_files import SCOPES, client_of, write_keys
from tests.service.live_api import PATIENCE_S, LiveApi, live_api
from tests.service.refused import check_refused
from tests.service.test_upload_limits import make_head

OPEN = {(method, path) for method in ("GET", "HEAD") for path in ("/livez", "/readyz")} | {
    ("GET", f"/v2/health/{what}") for what in ("live", "ready")
}
Call = tuple[str, str]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    """An API that asks for keys."""
    folder = tmp_path_factory.mktemp("api")
    with live_api(folder, api_keys_file=write_keys(folder)) as api:
        yield api


@pytest.fixture(scope="module")
def calls(api: LiveApi) -> list[Call]:
    """All calls of the document, with something in the place of each name."""
    paths = api.client.get("/openapi.json").json()["paths"]
    found = [
        (method.upper(), path.format(job_id=JOB_ID, name="t1w", version="1", study="1.2", uid="1.2"))
        for path, methods in paths.items()
        for method in methods
    ]
    assert len(found) > 10
    return found


def answers(api: LiveApi, name: str | None, calls: list[Call]) -> dict[Call, int]:
    with client_of(api, name) as client:
        return {(method, path): client.request(method, path).status_code for method, path in calls}


def test_without_a_key_only_the_health_of_the_service_is_told(api: LiveApi, calls: list[Call]) -> None:
    for name in (None, "stranger", ""):
        found = answers(api, name, calls)

        assert {call for call, status in found.items() if status != 401} == OPEN


def refused_in_the_end(api: LiveApi, call: Call, headers: dict[str, str]) -> httpx.Response:
    """The answer to a call; to another one if a try had become free meanwhile."""
    answer = api.client.request(*call, headers=headers)
    for _ in range(5):
        if answer.status_code != 401:
            break
        answer = api.client.request(*call, headers=headers)
    return answer


def test_who_tried_too_often_is_told_to_wait_by_each_call_that_a_key_guards_as_the_document_says(
    tmp_path: Path, calls: list[Call]
) -> None:
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path)) as api:
        stranger = {"X-API-Key": "stranger"}
        while api.client.get("/v1/queue", headers=stranger).status_code == 401:
            pass

        found = {call: refused_in_the_end(api, call, stranger) for call in calls if call not in OPEN}

    assert {answer.status_code for answer in found.values()} == {429}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in found.values())


def test_who_may_read_may_do_nothing_else(api: LiveApi, calls: list[Call]) -> None:
    found = answers(api, "reader", calls)

    assert {call for call, status in found.items() if status in (401, 403)} == {
        call for call in calls if call[0] not in ("GET", "HEAD")
    }


def test_who_may_submit_may_not_read(api: LiveApi, calls: list[Call]) -> None:
    found = answers(api, "sender", calls)

    assert {call for call, status in found.items() if status in (401, 403)} == {
        call for call in calls if call[0] in ("GET", "HEAD") and call not in OPEN
    }


def test_who_may_do_everything_is_refused_nothing(api: LiveApi, calls: list[Call]) -> None:
    assert not {401, 403} & set(answers(api, "boss", calls).values())


def test_the_document_says_for_what_a_key_is_asked(api: LiveApi) -> None:
    document = api.client.get("/openapi.json").json()

    schemes = document["components"]["securitySchemes"]
    assert (schemes["bearer"]["scheme"], schemes["apiKey"]["name"]) == ("bearer", "X-API-Key")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            guarded = (method.upper(), path) not in OPEN
            assert bool(operation.get("security")) is guarded
            assert ({"401", "403", "429"} <= operation["responses"].keys()) is guarded
            if guarded:
                assert [list(each) for each in operation["security"]] == [["bearer"], ["apiKey"]]


def test_blanks_around_a_key_are_no_part_of_it(api: LiveApi) -> None:
    for shown in (b"pacs ", b"pacs\t", b"pacs \t ", b"  pacs", b"\tpacs"):
        for name in (b"X-API-Key: ", b"Authorization: Bearer "):
            assert _status_of(api, name + shown) == 200, (name, shown)
    for shown in (b"", b" \t ", b"pa cs"):
        assert _status_of(api, b"X-API-Key:" + shown) == 401, shown


def _status_of(api: LiveApi, header: bytes) -> int:
    """Of a request with a header that is sent as it is, with all its blanks."""
    head = b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
        connection.sendall(head + header + b"\r\n\r\n")
        return int(connection.recv(65536).split()[1])


@pytest.mark.parametrize(
    "headers", [{"Authorization": "Bearer pacs"}, {"authorization": "bearer pacs"}, {"X-API-Key": "pacs"}]
)
def test_a_key_may_be_shown_in_two_ways(api: LiveApi, headers: dict[str, str]) -> None:
    assert api.client.get("/v1/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic cGFjczpwYWNz"},
        {"Authorization": "Bearer stranger", "X-API-Key": "pacs"},
        {"Authorization": "pacs"},
        {"X-API-Key": "pacs\xe4".encode("latin-1")},
    ],
)
def test_what_is_no_key_is_refused_with_how_to_show_one(api: LiveApi, headers: dict[str, str]) -> None:
    response = api.client.get("/v1/jobs", headers=headers)

    check_refused(api, response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="disyre"'
    assert "as Authorization: Bearer or X-API-Key" in response.json()["detail"]


def test_a_key_in_the_address_opens_nothing_and_a_huge_one_is_not_read(api: LiveApi) -> None:
    for name in ("api_key", "key", "X-API-Key", "access_token"):
        refused = api.client.get("/v1/jobs", params={name: "pacs"}, headers={"X-API-Key": ""})
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
        connection.sendall(b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + b"k" * 2**17)
        assert connection.recv(65536).startswith(b"HTTP/1.1 431 ")


def test_a_key_that_is_for_something_else_is_told_what_it_lacks(api: LiveApi, scan: bytes) -> None:
    with client_of(api, "reader") as client:
        response = client.post("/v1/jobs", content=scan)

    check_refused(api, response, 403, "forbidden")
    assert response.json()["detail"] == "expected an API key with the scope submit, got one without"


def test_a_query_is_not_judged_before_its_sender_is_known(api: LiveApi) -> None:
    assert api.client.get("/v1/jobs?limit=none&colour=red").status_code == 401
    assert api.client.get("/v1/jobs/none").status_code == 401


@pytest.mark.parametrize(("key", "status"), [("stranger", 401), ("reader", 403)])
@pytest.mark.parametrize(
    "body", ["Expect: 100-continue", f"Content-Length: {2 * MOST_READ_AFTER_REFUSAL_BYTES}"]
)
def test_no_body_is_read_of_who_may_not_send_one(api: LiveApi, key: str, status: int, body: str) -> None:
    head = make_head("Content-Length: 300000000", body, f"X-API-Key: {key}")
    if body.startswith("Content-Length"):
        head = make_head(body, f"X-API-Key: {key}")
    with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
        connection.sendall(head)
        answer = connection.recv(65536)

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert api.holds_nothing()


def test_a_key_is_in_no_answer(api: LiveApi, calls: list[Call]) -> None:
    with httpx.Client(base_url=api.client.base_url, headers={"X-API-Key": "ZZCANARY"}) as client:
        assert not [call for call in calls if "ZZCANARY" in client.request(*call).text]


def test_where_only_its_own_machine_reaches_it_no_key_is_asked_for(shared_api: LiveApi) -> None:
    for name in (None, *SCOPES):
        with client_of(shared_api, name) as client:
            assert client.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_api_that_others_can_reach_does_not_start_without_keys(tmp_path: Path, host: str) -> None:
    environment = {"DISYRE_DATA_DIR": str(tmp_path), "DISYRE_LISTEN_HOST": host}

    run = subprocess.run(
        [sys.executable, "-m", "service"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (run.returncode, run.stdout, list(tmp_path.iterdir())) == (EX_CONFIG, "", [])
    assert run.stderr == (
        f"disyre API: cannot start: DISYRE_LISTEN_HOST is {host}, which other machines can reach: expected "
        "DISYRE_API_KEYS_FILE, a file of API keys (disyre keys new NAME makes one), got none\n"
    )
