"""What the head of a request must say, whatever it asks for; with keys and without."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.key_files import write_keys
from tests.service.live_api import LiveApi, live_api
from tests.service.test_slow_clients import connected, read_to_the_end, refusal

HOST = b"Host: localhost\r\n"
GZIP = b"Transfer-Encoding: gzip\r\n"
CLOSE = b"Connection: close\r\n\r\n"
BODY = b"POST /v1/jobs HTTP/1.1\r\n" + HOST


@pytest.fixture(scope="module", params=["with keys", "without keys"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    folder: Path = tmp_path_factory.mktemp("api")
    with live_api(folder, api_keys_file=write_keys(folder) if request.param == "with keys" else None) as api:
        yield api


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET /livez HTTP/1.1\r\n" + CLOSE, (400, "malformed-request")),
        (b"GET /livez HTTP/1.1\r\n" + HOST + HOST + CLOSE, (400, "malformed-request")),
        (b"GET /livez HTTP/1.1\r\n" + HOST + b"hOST: evil.example\r\n" + CLOSE, (400, "malformed-request")),
        (b"GET /livez HTTP/1.0\r\n" + HOST + HOST + CLOSE, (400, "malformed-request")),
        (b"GET /livez HTTP/2.0\r\n" + HOST + CLOSE, (505, "http-version-not-supported")),
        (BODY + b"Transfer-Encoding: gzip, chunked\r\n" + CLOSE, (501, "transfer-coding-unknown")),
        (BODY + GZIP + b"Transfer-Encoding: chunked\r\n" + CLOSE, (501, "transfer-coding-unknown")),
        (BODY + b"Transfer-Encoding: chunked, chunked\r\n" + CLOSE, (400, "malformed-request")),
    ],
)  # fmt: skip
def test_a_head_that_is_wrong_for_any_request_is_refused(
    api: LiveApi, sent: bytes, expected: tuple[int, str]
) -> None:
    with connected(api, sent) as connection:
        assert refusal(read_to_the_end(connection)) == expected


def test_an_encoded_body_that_goes_on_after_the_refusal_is_thrown_away(api: LiveApi) -> None:
    head = BODY + b"Transfer-Encoding: gzip, chunked\r\n\r\n"
    with connected(api, head + b"10000\r\n" + bytes(2**16) + b"\r\n0\r\n\r\n") as connection:
        assert refusal(read_to_the_end(connection)) == (501, "transfer-coding-unknown")


@pytest.mark.parametrize(
    "sent", [b"GET /livez HTTP/1.0\r\n" + CLOSE, b"GET /livez HTTP/1.1\r\n" + HOST + CLOSE]
)
def test_one_host_is_enough_and_http_1_0_needs_none(api: LiveApi, sent: bytes) -> None:
    with connected(api, sent) as connection:
        assert read_to_the_end(connection).startswith(b"HTTP/1.1 200 ")


def test_chunks_are_read(api: LiveApi) -> None:
    sent = BODY + b"X-API-Key: pacs\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n"
    with connected(api, sent + b"4\r\nabcd\r\n0\r\n\r\n") as connection:
        assert refusal(read_to_the_end(connection)) == (415, "not-an-image")


@pytest.mark.parametrize(
    "trailer",
    [
        b"X-API-Key: pacs\r\n",
        b"Origin: http://evil.example\r\n",
        b"Accept: text/html\r\n",
        b"Content-Type: text/html\r\n",
        b"Host: evil.example\r\n",
        b"Content-Digest: sha-256=:AAAA:\r\n",
    ],
)
@pytest.mark.parametrize("key", [b"", b"X-API-Key: pacs\r\n"])
def test_what_comes_behind_the_chunks_of_a_body_changes_nothing(
    api: LiveApi, key: bytes, trailer: bytes
) -> None:
    sent = BODY + key + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nabcd\r\n0\r\n"
    with connected(api, sent + b"\r\n") as connection:
        expected = refusal(read_to_the_end(connection))
    with connected(api, sent + trailer + b"\r\n") as connection:
        assert refusal(read_to_the_end(connection)) == expected


def test_what_comes_behind_chunks_is_no_longer_than_headers_may_be(api: LiveApi) -> None:
    sent = BODY + b"X-API-Key: pacs\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n"
    with connected(api, sent + b"X-Long: aaaaaaa\r\n" * 20_000) as connection:
        read_to_the_end(connection)  # ends: the connection is closed
