"""Room on the disk, and who may have it."""

import shutil
import socket
from contextlib import closing
from pathlib import Path

import pytest

from disyre.errors import StorageFull
from service.disk_room import DiskRoom
from tests.live import wait_for
from tests.service.live_api import PATIENCE_S, LiveApi, live_api

MIB = 2**20


def test_what_is_still_to_come_is_kept_from_others() -> None:
    room = DiskRoom(lambda: 100, min_free_bytes=10)
    first = room.reserve(60)

    with pytest.raises(StorageFull):
        room.reserve(31)
    with pytest.raises(StorageFull):
        room.check(31)
    first.use(20)
    room.reserve(50).end()
    first.end()
    first.end()
    room.reserve(90)


def test_a_body_that_does_not_say_how_long_it_is_is_watched() -> None:
    free = [1000 * MIB]
    upload = DiskRoom(lambda: free[0], min_free_bytes=10).reserve(0)

    upload.use(63 * MIB)
    free[0] = 0
    upload.use(MIB // 2)
    with pytest.raises(StorageFull):
        upload.use(MIB // 2)


def begin(api: LiveApi, n_bytes: int) -> socket.socket:
    """An upload that said how long it is, and goes on when it is told to."""
    connection = socket.create_connection(api.address, timeout=PATIENCE_S)
    headers = f"Host: localhost\r\nContent-Length: {n_bytes}\r\nExpect: 100-continue"
    head = f"POST /v1/jobs HTTP/1.1\r\n{headers}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def test_uploads_that_do_not_fit_together_are_not_both_begun(tmp_path: Path) -> None:
    most = int(shutil.disk_usage(tmp_path).free * 0.6)
    with live_api(tmp_path, max_upload_bytes=most) as api:
        with closing(begin(api, most)) as first:
            assert first.recv(100).startswith(b"HTTP/1.1 100 ")
            with closing(begin(api, most)) as second:
                assert second.recv(100).startswith(b"HTTP/1.1 507 ")

        def can_begin() -> bool:
            with closing(begin(api, most)) as third:
                return third.recv(100).startswith(b"HTTP/1.1 100 ")

        wait_for(can_begin, "the first one has left, and its room is free")
        wait_for(api.holds_nothing, "nothing is left behind")
