"""Where a job's files are: whole, or not at all."""

import errno
import os
import shutil
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.free_room import FreeRoom
from disyre.errors import ArtifactNotFound, ArtifactsAway, StorageFull
from disyre.store_mark import StoreMark
from tests.builders import JOB_ID

LONG_AGO = 1_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> FolderArtifactStore:
    store = FolderArtifactStore(tmp_path)
    store.prepare()
    return store


def submit(store: FolderArtifactStore, job_id: str = JOB_ID) -> None:
    with store.incoming() as folder:
        (folder / "000001").write_bytes(b"scan")
        store.accept(folder, job_id)


def write_attempt(store: FolderArtifactStore, attempt: int) -> None:
    with store.attempt(JOB_ID, attempt) as folder:
        (folder / "map").write_bytes(b"%d" % attempt)


def test_an_upload_becomes_the_input_of_a_job(store: FolderArtifactStore, tmp_path: Path) -> None:
    submit(store)

    assert store.input_file(JOB_ID, "000001").read_bytes() == b"scan"
    assert not list((tmp_path / "incoming").iterdir())


OTHER_ID = JOB_ID.replace("0001", "0002")


def test_an_upload_of_several_jobs_is_the_input_of_each_and_on_the_disk_once(
    store: FolderArtifactStore, tmp_path: Path
) -> None:
    with store.incoming() as folder:
        (folder / "000001").write_bytes(b"study")
        store.accept(folder, JOB_ID, OTHER_ID)

    files = [store.input_file(job_id, "000001") for job_id in (JOB_ID, OTHER_ID)]
    assert files[0].samefile(files[1])
    assert not list((tmp_path / "incoming").iterdir())
    store.remove(JOB_ID)
    assert files[1].read_bytes() == b"study"


def test_every_file_and_name_of_an_upload_is_on_the_disk_before_it_is_a_job(tmp_path: Path) -> None:
    synced: list[tuple[str, bool]] = []

    def sync(path: Path) -> None:
        synced.append((path.name, (tmp_path / "jobs" / OTHER_ID / "input").exists()))

    store = FolderArtifactStore(tmp_path, sync=sync)
    store.prepare()
    with store.incoming() as folder:
        for name in ("000001", "000002", "mask"):
            (folder / name).write_bytes(b"scan")
        store.accept(folder, JOB_ID, OTHER_ID)

    before = [("000001", False), ("000002", False), ("mask", False), (folder.name, False)]
    assert sorted(synced[:3]) + synced[3:4] == before
    assert synced[4:] == [("input", False), (JOB_ID, True), (OTHER_ID, True), ("jobs", True)]


def test_an_upload_that_fails_for_a_fault_of_ours_is_no_job(tmp_path: Path) -> None:
    def sync(path: Path) -> None:
        raise ValueError("a fault")

    store = FolderArtifactStore(tmp_path, sync=sync)
    store.prepare()

    with pytest.raises(ValueError, match="a fault"):
        submit(store)

    assert not list((tmp_path / "jobs").iterdir())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_an_upload_for_which_the_disk_has_no_room_is_no_job_and_says_so(tmp_path: Path, number: int) -> None:
    def sync(path: Path) -> None:
        raise OSError(number, "no room")

    store = FolderArtifactStore(tmp_path, sync=sync)
    store.prepare()

    with pytest.raises(StorageFull, match="ran full"):
        submit(store)

    assert not list((tmp_path / "jobs").iterdir())
    assert not list((tmp_path / "incoming").iterdir())


def test_an_upload_that_cannot_be_the_input_of_all_jobs_is_that_of_none(
    store: FolderArtifactStore, tmp_path: Path
) -> None:
    submit(store, OTHER_ID)

    with pytest.raises(FileExistsError), store.incoming() as folder:
        (folder / "000001").write_bytes(b"study")
        store.accept(folder, JOB_ID, OTHER_ID)

    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [OTHER_ID]
    assert store.input_file(OTHER_ID, "000001").read_bytes() == b"scan"


def test_an_upload_that_is_refused_leaves_nothing(store: FolderArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="refused"), store.incoming() as folder:
        (folder / "000001").write_bytes(b"scan")
        raise ValueError("refused")

    assert not list((tmp_path / "incoming").iterdir())


def test_an_attempt_that_fails_leaves_nothing(store: FolderArtifactStore, tmp_path: Path) -> None:
    submit(store)

    with pytest.raises(ValueError, match="broken"), store.attempt(JOB_ID, 1) as folder:
        (folder / "map").write_bytes(b"half")
        raise ValueError("broken")

    assert [path.name for path in (tmp_path / "jobs" / JOB_ID).iterdir()] == ["input"]


def test_an_attempt_is_not_seen_before_it_is_whole(store: FolderArtifactStore) -> None:
    submit(store)

    with store.attempt(JOB_ID, 1) as folder:
        (folder / "map").write_bytes(b"half")
        with pytest.raises(ArtifactNotFound):
            store.result_file(JOB_ID, 1, "map")

    assert store.result_file(JOB_ID, 1, "map").read_bytes() == b"half"


def test_what_a_killed_attempt_left_does_not_disturb_the_next(
    store: FolderArtifactStore, tmp_path: Path
) -> None:
    submit(store)
    left = tmp_path / "jobs" / JOB_ID / "attempt-1.partial"
    left.mkdir()
    (left / "map").write_bytes(b"half")

    write_attempt(store, 2)
    store.keep_only(JOB_ID, 2)

    assert not left.exists()
    assert store.result_file(JOB_ID, 2, "map").read_bytes() == b"2"


def test_that_files_stay_that_were_to_be_removed_is_raised(
    store: FolderArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(store)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # as where a file is held by a network disk

    for remove in (store.remove, store.remove_input):
        with pytest.raises(ArtifactsAway, match="not all files"):
            remove(JOB_ID)


def test_a_deleted_job_has_no_place_for_an_attempt(store: FolderArtifactStore) -> None:
    submit(store)
    store.remove(JOB_ID)
    store.remove(JOB_ID)

    with pytest.raises(ArtifactNotFound, match="scan that was uploaded"), store.attempt(JOB_ID, 1):
        pass
    with pytest.raises(ArtifactNotFound):
        store.input_file(JOB_ID, "000001")


KILLED = """
import sys
from pathlib import Path
from disyre.adapters.folder_artifact_store import FolderArtifactStore
with FolderArtifactStore(Path(sys.argv[1])).incoming() as folder:
    print(folder.name, flush=True)
    sys.stdin.read()
"""


def test_an_upload_that_a_killed_process_left_is_swept_and_nothing_else(
    store: FolderArtifactStore, tmp_path: Path
) -> None:
    submit(store)
    other = Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdin=PIPE, stdout=PIPE, text=True)
    assert other.stdout is not None
    left = other.stdout.readline().strip()
    for path in (tmp_path / "jobs" / JOB_ID, tmp_path / "incoming" / left):
        os.utime(path, (LONG_AGO, LONG_AGO))

    assert store.sweep(older_than_s=60) == []
    other.kill()
    other.communicate()

    assert store.sweep(older_than_s=60) == [left]
    assert not list((tmp_path / "incoming").iterdir())
    assert store.input_file(JOB_ID, "000001").exists()


def test_an_upload_whose_folder_was_made_just_now_is_not_swept_before_it_is_locked(
    store: FolderArtifactStore, tmp_path: Path
) -> None:
    (tmp_path / "incoming" / "made").mkdir()

    assert store.sweep(older_than_s=60) == []


def test_without_locks_an_upload_is_swept_once_it_is_old(tmp_path: Path) -> None:
    def no_locks(descriptor: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    store = FolderArtifactStore(tmp_path, lock=no_locks)
    store.prepare()
    with store.incoming() as folder:
        (tmp_path / "incoming" / "old").mkdir()
        os.utime(tmp_path / "incoming" / "old", (LONG_AGO, LONG_AGO))

        assert store.sweep(older_than_s=60) == ["old"]
        assert folder.exists()


def test_an_upload_that_goes_while_it_is_looked_at_is_no_concern(
    store: FolderArtifactStore, tmp_path: Path
) -> None:
    (tmp_path / "incoming" / "gone").symlink_to(tmp_path / "nowhere")

    assert store.sweep(older_than_s=-1) == []


def test_nobody_else_on_the_machine_can_look(store: FolderArtifactStore, tmp_path: Path) -> None:
    submit(store)

    folders = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert {oct(path.stat().st_mode & 0o077) for path in folders} == {"0o0"}


def test_there_is_room(store: FolderArtifactStore, tmp_path: Path) -> None:
    free = store.free_room()

    assert 0 < free.n_bytes <= shutil.disk_usage(tmp_path).total
    assert free.n_files is None or free.n_files > 0


@pytest.mark.parametrize(("n_in_all", "n_free"), [(1000, 10), (0, None)])
def test_a_file_system_that_has_no_number_for_its_files_is_not_short_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_in_all: int, n_free: int | None
) -> None:
    found = os.statvfs_result((4096, 4096, 100, 50, 40, n_in_all, n_free or 0, n_free or 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: found)

    assert FreeRoom.of(tmp_path) == FreeRoom(40 * 4096, n_free)


def test_the_files_carry_a_mark_that_is_never_half_written(tmp_path: Path) -> None:
    def sync(path: Path) -> None:
        if list(tmp_path.glob("store-mark.json?*")) and len(synced) > 1:
            raise OSError(errno.EIO, "a worn-out disk")
        synced.append(path)

    synced: list[Path] = []
    store = FolderArtifactStore(tmp_path, sync=sync)
    store.prepare()
    assert store.mark() is None
    marks = [StoreMark(id=JOB_ID, count=count) for count in range(3)]
    for mark in marks[:2]:
        store.set_mark(mark)

    with pytest.raises(ArtifactsAway, match="EIO"):
        store.set_mark(marks[2])

    assert store.mark() == marks[1]
    assert {path.name for path in tmp_path.iterdir()} == {"incoming", "jobs", "store-mark.json"}
