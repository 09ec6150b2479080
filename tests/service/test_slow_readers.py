"""Clients that take their answers slowly, or not at all."""

import logging
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.builders import JOB_ID, make_job
from tests.live import wait_for
from tests.service.live_api import PATIENCE_S, LiveApi, live_api
from tests.service.test_removed_results import address, finish

LARGE = bytes(range(256)) * 20_000
"""Far more than a connection holds."""
ESTABLISHED = 1


@contextmanager
def asking(api: LiveApi, path: str, *fields: str) -> Iterator[socket.socket]:
    """A client that has asked, and has room for little."""
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE_S)
        connection.connect(api.address)
        head = "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "Host: localhost", *fields))
        connection.sendall(f"{head}\r\n".encode())
        yield connection


def is_connected(connection: socket.socket) -> bool:
    (state,) = struct.unpack("B", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1))
    return bool(state == ESTABLISHED)


@pytest.mark.parametrize("fields", [(), ("Connection: close",)])
@pytest.mark.parametrize("path", ["/openapi.json", address()])
def test_who_takes_nothing_of_an_answer_is_cut_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str, fields: tuple[str, ...]
) -> None:
    caplog.set_level(logging.INFO, logger="service.deadline_protocol")
    with live_api(tmp_path, send_timeout_s=1) as api:
        finish(api, content=LARGE)
        with asking(api, path, *fields) as connection:
            wait_for(lambda: not is_connected(connection), "the connection is cut", within_s=10)

        assert api.client.get("/livez").status_code == 200
    assert [record.getMessage() for record in caplog.records] == [
        "cut off: of an answer, too little was taken in 1 s"
    ]


def test_who_takes_an_answer_slowly_gets_all_of_it(tmp_path: Path) -> None:
    with live_api(tmp_path, send_timeout_s=3) as api:
        finish(api, content=LARGE)
        with asking(api, address(), "Connection: close") as connection:
            answer, slow_until = bytearray(), time.monotonic() + 5
            while part := connection.recv(2048):
                answer += part
                if time.monotonic() < slow_until:
                    time.sleep(0.1)

    assert bytes(answer).endswith(b"\r\n\r\n" + LARGE)


def test_who_waits_for_news_of_which_there_is_none_is_not_cut_off(tmp_path: Path) -> None:
    with live_api(tmp_path, send_timeout_s=1) as api:
        api.jobs.add(make_job())
        with asking(api, f"/v1/jobs/{JOB_ID}/events") as connection:
            time.sleep(2.5)

            assert is_connected(connection)


def test_a_download_has_its_file_open_once(tmp_path: Path) -> None:
    def opened() -> int:
        links = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
        return sum(str(api.root) in str(link) and "anomaly" in link.name for link in links)

    with live_api(tmp_path) as api:
        finish(api, content=LARGE)
        with asking(api, address()) as connection:
            connection.recv(1024)

            assert opened() == 1
        wait_for(lambda: opened() == 0, "the file is closed")
