"""A key that does more than its share is told when to come back, before its body is read."""

import socket
from contextlib import closing
from pathlib import Path

from tests.service.key_files import client_of, write_keys
from tests.service.live_api import PATIENCE_S, live_api
from tests.service.refused import check_refused
from tests.service.test_upload_limits import make_head


def test_who_submits_too_much_is_told_when_to_come_back_and_others_are_not_bothered(
    tmp_path: Path, scan: bytes
) -> None:
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path), max_submits_per_minute=2) as api:
        with client_of(api, "pacs") as client:
            made = [client.post("/v1/jobs", content=b"no scan") for _ in range(2)]
            refused = client.post("/v1/jobs", content=scan)
            read = client.get("/v1/jobs")
        with client_of(api, "ward-3") as client:
            other = client.post("/v1/inspect", content=scan)

        assert [response.status_code for response in made] == [415, 415]
        check_refused(api, refused, 429, "rate-limited")
        assert 20 <= int(refused.headers["Retry-After"]) <= 30
        assert refused.json()["detail"] == "expected at most 2 calls a minute that need the scope submit"
        assert (read.status_code, other.status_code) == (200, 200)


def test_a_body_that_comes_too_soon_is_never_asked_for(tmp_path: Path) -> None:
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path), max_submits_per_minute=1) as api:
        with client_of(api, "pacs") as client:
            client.post("/v1/jobs", content=b"no scan")
        with closing(socket.create_connection(api.address, timeout=PATIENCE_S)) as connection:
            connection.sendall(
                make_head("Content-Length: 300000000", "Expect: 100-continue", "X-API-Key: pacs")
            )
            answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 429 ")


def test_where_no_key_is_asked_for_nobody_is_counted(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, max_submits_per_minute=1) as api:
        statuses = [api.client.post("/v1/inspect", content=scan).status_code for _ in range(3)]

    assert statuses == [200, 200, 200]
