"""A body in chunks of a few bytes is refused before it keeps others waiting."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from service.small_chunks import SmallChunks
from tests.builders import make_volume
from tests.service.conftest import nifti_bytes
from tests.service.key_files import write_keys
from tests.service.live_api import LiveApi, live_api
from tests.service.test_slow_clients import connected, read_to_the_end, refusal

SENDS = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
END = b"0\r\n\r\n"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    with live_api(tmp_path) as api:
        yield api


def in_chunks(body: bytes, size: int) -> bytes:
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return b"\r\n" + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


def send_for_ever(connection: socket.socket, sent: bytes) -> None:
    """Until the connection is closed."""
    with suppress(OSError):
        while True:
            connection.sendall(sent)


def test_a_body_of_chunks_of_one_byte_without_end_is_refused_and_leaves_nothing(api: LiveApi) -> None:
    with connected(api, SENDS + in_chunks(bytes(20_000), 1)) as connection:
        assert refusal(read_to_the_end(connection)) == (400, "malformed-request")
    assert list((api.root / "incoming").iterdir()) == []


def test_who_is_refused_for_another_reason_may_not_go_on_with_chunks_of_one_byte(tmp_path: Path) -> None:
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path)) as api, connected(api, SENDS) as connection:
        connection.sendall(b"\r\n")
        send_for_ever(connection, in_chunks(bytes(1000), 1)[2:])  # ends: the connection is closed


def test_of_what_comes_after_a_refusal_little_is_read(api: LiveApi) -> None:
    n_sent = 0
    with connected(api, SENDS + in_chunks(bytes(20_000), 1)) as connection, suppress(OSError):
        while n_sent < 10**9:
            n_sent += connection.send(bytes(2**20))

    assert n_sent < 50 * 2**20  # what the system keeps on its way is a few MiB


@pytest.mark.parametrize("size", [64, 1000, 10**6])
def test_a_scan_in_chunks_of_some_size_is_taken(api: LiveApi, tmp_path: Path, size: int) -> None:
    scan = nifti_bytes(tmp_path, make_volume())
    sent = SENDS + b"Connection: close\r\n" + in_chunks(scan, size) + END
    with connected(api, sent) as connection:
        assert read_to_the_end(connection).startswith(b"HTTP/1.1 202 ")


def test_a_scan_in_packets_of_a_few_bytes_is_no_worse_than_another() -> None:
    chunks = SmallChunks()

    for _ in range(100_000):
        chunks.begin_block()
        assert not chunks.take(1)


def test_small_chunks_are_made_up_for_by_large_ones() -> None:
    chunks = SmallChunks()
    chunks.begin_block()

    assert not any(chunks.take(1) for _ in range(10_000))
    assert not chunks.take(64_000)
    assert not any(chunks.take(0) for _ in range(1000))
    assert any(chunks.take(0) for _ in range(1000))
