"""Room on the disk, and who may have it."""

import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.free_room import FreeRoom
from disyre.errors import StorageFull
from service.disk_room import DiskRoom, Reservation
from tests.live import wait_for
from tests.service.live_api import PATIENCE_S, LiveApi, live_api

MIB = 2**20


def test_what_is_still_to_come_is_kept_from_others() -> None:
    room = DiskRoom(lambda: FreeRoom(100), min_free_bytes=10)
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


@dataclass
class Disk:
    """A disk that is written to."""

    free_bytes: int

    def take(self, upload: Reservation, n_bytes: int) -> None:
        upload.expect(n_bytes)
        self.free_bytes -= n_bytes
        upload.use(n_bytes)


def test_bodies_that_do_not_say_how_long_they_are_leave_the_room_that_is_to_be_left_together() -> None:
    disk = Disk(1100 * MIB)
    room = DiskRoom(lambda: FreeRoom(disk.free_bytes), min_free_bytes=1000 * MIB)
    uploads = [room.reserve(None) for _ in range(5)]

    with pytest.raises(StorageFull):
        while True:
            for upload in uploads:
                disk.take(upload, MIB)

    assert disk.free_bytes == 1000 * MIB
    for upload in uploads:
        upload.end()
    disk.free_bytes = 1001 * MIB
    room.reserve(MIB)


def test_a_body_that_does_not_say_how_long_it_is_is_kept_4_mib_or_what_there_is() -> None:
    disk = Disk(10 * MIB)
    room = DiskRoom(lambda: FreeRoom(disk.free_bytes), min_free_bytes=MIB)

    first, second, third = (room.reserve(None) for _ in range(3))
    with pytest.raises(StorageFull):
        room.reserve(None)

    disk.take(third, MIB)
    with pytest.raises(StorageFull):
        disk.take(third, 1)
    third.end()
    disk.take(first, 4 * MIB)
    with pytest.raises(StorageFull):
        disk.take(first, 1)
    second.end()
    disk.take(first, 4 * MIB)


def test_of_two_scans_that_do_not_fit_together_and_do_not_say_how_long_they_are_one_is_refused(
    tmp_path: Path, scan: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield scan[:5000]
        goes_on.wait(PATIENCE_S)
        yield scan[5000:]

    free = FreeRoom(MIB + len(scan) * 3 // 2)
    monkeypatch.setattr(FolderArtifactStore, "free_room", lambda store: free)
    with live_api(tmp_path, min_free_bytes=MIB) as api, ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.client.post, "/v1/jobs", content=slowly())
        wait_for(lambda: list((api.root / "incoming").glob("*/000001")), "the first one has begun")
        second = api.client.post("/v1/jobs", content=iter([scan]))
        goes_on.set()

        assert (second.status_code, second.json()["code"]) == (507, "storage-full")
        assert first.result().status_code == 202


@pytest.mark.parametrize(("n_files", "status"), [(255, 507), (256, 202), (None, 202)])
def test_a_disk_that_is_out_of_files_takes_no_scan_and_is_not_ready(
    tmp_path: Path, scan: bytes, monkeypatch: pytest.MonkeyPatch, n_files: int | None, status: int
) -> None:
    monkeypatch.setattr(FolderArtifactStore, "free_room", lambda store: FreeRoom(MIB, n_files))

    with live_api(tmp_path) as api:
        answer = api.client.post("/v1/jobs", content=scan)
        checks = api.client.get("/readyz").json()["checks"]

    assert (answer.status_code, checks["disk"]) == (status, status == 202)


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
