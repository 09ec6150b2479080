"""A folder that is away, or another one, is told from one that is new, and from files that are gone."""

import errno
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NoReturn

import pytest

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.marked_folder import MarkedFolder
from disyre.errors import (
    ArtifactNotFound,
    ArtifactsAway,
    ArtifactsRefused,
    StaleAttempt,
    Unavailable,
    UnreadableVolume,
)
from disyre.store_mark import StoreMark
from tests.builders import JOB_ID, make_job

OTHER_ID = JOB_ID.replace("0001", "0002")
MARK = StoreMark(id=JOB_ID, count=3)


class NoBroker:
    """Records that nobody can ask."""

    def mark(self) -> StoreMark | None:
        raise Unavailable("away")

    def known(self, job_ids: Collection[str]) -> set[str]:
        raise Unavailable("away")


@pytest.fixture
def jobs() -> InMemoryJobStore:
    """Records that were given a mark together with their files, and have a job."""
    jobs = InMemoryJobStore()
    jobs.add(make_job())
    jobs.set_mark(MARK)
    return jobs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the input of a job, and a mark."""
    store = FolderArtifactStore(tmp_path / "data")
    store.prepare()
    submit(store)
    store.set_mark(MARK)
    return tmp_path / "data"


def submit(store: FolderArtifactStore, job_id: str = JOB_ID) -> None:
    with store.incoming() as folder:
        (folder / "000001").write_bytes(b"scan")
        store.accept(folder, job_id)


def leave(root: Path) -> None:
    root.rename(root.with_name("unmounted"))
    root.mkdir()


def only_mark(root: Path) -> None:
    leave(root)
    (root / "store-mark.json").write_text(MARK.model_dump_json())


def other_mark(root: Path) -> None:
    (root / "store-mark.json").write_text(StoreMark(id=OTHER_ID, count=9).model_dump_json())


def no_root(root: Path) -> None:
    root.rename(root.with_name("unmounted"))


def of_nobody(root: Path) -> None:
    """As below a mount point, from a start before the share was mounted."""
    leave(root)
    (root / "jobs" / OTHER_ID).mkdir(parents=True)


@pytest.mark.parametrize("spoil", [leave, only_mark, other_mark, no_root, of_nobody])
@pytest.mark.parametrize("knew", [True, False])
def test_a_folder_that_is_not_that_of_the_records_is_away(
    root: Path, jobs: InMemoryJobStore, spoil: Callable[[Path], None], knew: bool
) -> None:
    store = FolderArtifactStore(root, records=jobs)
    if knew:
        assert store.is_reachable()
    spoil(root)
    if spoil is not only_mark:  # what a folder of these jobs lacks is made at a start
        store.prepare()

    assert not store.is_reachable()
    with pytest.raises(ArtifactsAway):
        store.result_file(JOB_ID, 1, "map")
    with pytest.raises(ArtifactsAway), store.attempt(make_job(OTHER_ID.replace("0002", "0003")).id, 1):
        pass
    if not knew:
        with pytest.raises(ArtifactsAway):
            submit(store, OTHER_ID.replace("0002", "0003"))


def test_another_folder_is_for_the_operator_to_see_to(root: Path, jobs: InMemoryJobStore) -> None:
    other_mark(root)

    with pytest.raises(ArtifactsRefused, match="another mark"):
        FolderArtifactStore(root, records=jobs).mark()


def test_a_folder_that_is_away_as_a_program_starts_is_left_as_it_is_and_told_of(
    root: Path, jobs: InMemoryJobStore, caplog: pytest.LogCaptureFixture
) -> None:
    leave(root)

    FolderArtifactStore(root, records=jobs).prepare()

    assert not list(root.iterdir())
    assert "its mark is missing; starting all the same" in caplog.text


@pytest.mark.parametrize("records", [None, InMemoryJobStore(), NoBroker()])
def test_a_first_start_makes_the_folder(tmp_path: Path, records: InMemoryJobStore | None) -> None:
    store = FolderArtifactStore(tmp_path / "data", records=records)

    store.prepare()

    assert store.is_reachable()
    submit(store)
    assert store.mark() is None


@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [(errno.EIO, ArtifactsAway, "does not answer"), (errno.EACCES, PermissionError, "Permission denied")],
)
def test_a_folder_that_cannot_be_made_is_away_or_keeps_a_program_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception], said: str
) -> None:
    def mkdir(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", mkdir)

    with pytest.raises(kind, match=said):
        MarkedFolder(tmp_path / "data").make()


def test_a_folder_from_before_there_were_marks_is_the_right_one(root: Path) -> None:
    (root / "store-mark.json").unlink()
    store = FolderArtifactStore(root, records=InMemoryJobStore())

    assert store.is_reachable()
    assert store.mark() is None


@pytest.mark.parametrize("count", [0, 3])
def test_a_folder_whose_mark_was_removed_on_purpose_is_the_right_one(
    root: Path, jobs: InMemoryJobStore, count: int
) -> None:
    jobs.set_mark(StoreMark(id=OTHER_ID, count=count))
    (root / "store-mark.json").unlink()
    store = FolderArtifactStore(root, records=jobs)

    store.prepare()

    assert store.is_reachable()
    assert store.mark() is None


def test_an_empty_file_for_a_mark_says_that_an_empty_folder_is_the_right_one(
    root: Path, jobs: InMemoryJobStore
) -> None:
    leave(root)
    (root / "store-mark.json").touch()
    store = FolderArtifactStore(root, records=jobs)

    store.prepare()

    assert store.is_reachable()
    assert store.mark() is None


def test_records_that_are_being_marked_do_not_wait_for_a_mark_of_the_files(tmp_path: Path) -> None:
    jobs = InMemoryJobStore()
    jobs.set_mark(StoreMark(id=JOB_ID))
    store = FolderArtifactStore(tmp_path, records=jobs)

    store.prepare()

    assert store.is_reachable()


def test_without_the_broker_a_folder_is_believed_to_be_the_one_it_was(root: Path) -> None:
    store = FolderArtifactStore(root, records=NoBroker())
    assert store.is_reachable()
    store.set_mark(MARK)

    other_mark(root)
    assert not store.is_reachable()
    leave(root.parent / "data")
    assert not store.is_reachable()


def test_a_lost_broker_does_not_make_a_folder_another_one(root: Path) -> None:
    assert FolderArtifactStore(root, records=InMemoryJobStore()).is_reachable()


def test_a_file_that_is_gone_from_the_right_folder_is_gone(root: Path, jobs: InMemoryJobStore) -> None:
    store = FolderArtifactStore(root, records=jobs)

    with pytest.raises(ArtifactNotFound, match="expected a result"):
        store.result_file(JOB_ID, 1, "map")
    with pytest.raises(ArtifactNotFound, match="expected the scan"), store.attempt(OTHER_ID, 1):
        pass
    store.remove(OTHER_ID)


SAID = [(errno.EROFS, ArtifactsRefused), (errno.EACCES, ArtifactsRefused), (errno.EIO, ArtifactsAway)]
SAID += [(errno.ESTALE, ArtifactsAway), (errno.ENOTCONN, ArtifactsAway)]


@pytest.mark.parametrize(("number", "kind"), SAID)
def test_a_file_system_that_takes_or_gives_nothing_is_away(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[ArtifactsAway]
) -> None:
    store = FolderArtifactStore(root)

    def refuse(path: Path, *_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number), str(path))

    for call in ("mkdir", "rename", "unlink", "rmdir"):
        monkeypatch.setattr(os, call, refuse)

    for ask in (lambda: submit(store, OTHER_ID), lambda: begin(store), lambda: store.set_mark(MARK)):
        with pytest.raises(kind, match=errno.errorcode[number]):
            ask()
    with pytest.raises(ArtifactsAway):
        store.remove(JOB_ID)
    assert store.input_file(JOB_ID, "000001").read_bytes() == b"scan"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN])
def test_a_folder_that_cannot_be_looked_at_is_away(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store, stat = FolderArtifactStore(root), os.stat

    def refuse(path: Path, **given: bool) -> os.stat_result:
        if str(path).startswith(str(root)):
            raise OSError(number, os.strerror(number), str(path))
        return stat(path, **given)

    monkeypatch.setattr(os, "stat", refuse)

    for ask in (lambda: store.input_file(JOB_ID, "000001"), lambda: store.remove(OTHER_ID)):
        with pytest.raises(ArtifactsAway, match=errno.errorcode[number]):
            ask()
    assert not store.is_reachable()


def begin(store: FolderArtifactStore) -> None:
    with store.attempt(JOB_ID, 1):
        pass


def test_a_folder_that_cannot_be_written_is_not_reachable(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write whatever its mode

    assert not FolderArtifactStore(root).is_reachable()


@pytest.mark.parametrize(
    "error", [UnreadableVolume("cut off"), RuntimeError("a library"), FileNotFoundError(errno.ENOENT, "gone")]
)
def test_whatever_an_attempt_says_while_the_folder_is_away_the_folder_is_to_blame(
    root: Path, jobs: InMemoryJobStore, error: Exception
) -> None:
    store = FolderArtifactStore(root, records=jobs)

    with pytest.raises(ArtifactsAway), store.attempt(JOB_ID, 1):
        leave(root)
        raise error


def test_what_a_library_makes_of_a_share_that_does_not_answer_is_no_fault_of_the_scan(root: Path) -> None:
    with pytest.raises(ArtifactsAway, match="ESTALE"), FolderArtifactStore(root).attempt(JOB_ID, 1):
        try:
            raise OSError(errno.ESTALE, "stale", str(root / "jobs" / JOB_ID / "input" / "000001"))
        except OSError as error:
            raise UnreadableVolume("cannot be read") from error


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "denied", "/models/t1w/1/model.onnx"),
        UnreadableVolume("cut off"),
        StaleAttempt("over"),
    ],
)
def test_other_errors_of_an_attempt_stay_what_they_are(root: Path, error: Exception) -> None:
    with pytest.raises(type(error)), FolderArtifactStore(root).attempt(JOB_ID, 1):
        raise error


def test_an_attempt_waits_for_a_folder_that_comes_back(root: Path, jobs: InMemoryJobStore) -> None:
    store = FolderArtifactStore(root, records=jobs, patience_s=60.0)
    leave(root)

    def come_back() -> None:
        root.rmdir()
        root.with_name("unmounted").rename(root)

    with store.attempt(JOB_ID, 1, on_step=come_back) as folder:
        assert folder.is_dir()
