"""Files of jobs in a bucket: whole or not at all, those that the record knows, and nothing on the way."""

import errno
import hashlib
import io
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from disyre.adapters.bucket import Bucket
from disyre.adapters.bucket_artifact_store import BucketArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.errors import ArtifactNotFound, ArtifactsAway, DamagedArtifact, StorageFull
from disyre.job_input import InputFile, JobInput
from disyre.store_mark import StoreMark
from tests.builders import JOB_ID, make_job
from tests.live_bucket import NOBODY_LISTENS, Line, LiveBucket, answering, connect, make_bucket

OTHER_ID = JOB_ID.replace("0001", "0002")
LONG_AGO = 1_000_000_000
MARK = StoreMark(id=JOB_ID, count=3)
GIVEN = JobInput(
    files=(
        InputFile(name="000001", format="nifti", sha256=hashlib.sha256(b"scan").hexdigest(), size_bytes=4),
    )
)


@pytest.fixture
def live(s3: str, request: pytest.FixtureRequest) -> LiveBucket:
    return make_bucket(s3, f"bucket-{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}")


@pytest.fixture
def store(live: LiveBucket, tmp_path: Path) -> BucketArtifactStore:
    return prepared(live, tmp_path / "data")


def prepared(live: LiveBucket, root: Path, endpoint: str | None = None) -> BucketArtifactStore:
    store = BucketArtifactStore(live.connect(endpoint, timeout_s=2.0), root)
    store.prepare()
    return store


def of_records(live: LiveBucket, root: Path, jobs: InMemoryJobStore) -> BucketArtifactStore:
    store = BucketArtifactStore(live.connect(timeout_s=2.0), root, records=jobs)
    store.prepare()
    return store


def submit(store: BucketArtifactStore, *job_ids: str) -> None:
    with store.incoming() as folder:
        (folder / "000001").write_bytes(b"scan")
        store.accept(folder, *(job_ids or (JOB_ID,)))


def give_result(store: BucketArtifactStore) -> None:
    submit(store)
    with store.attempt(JOB_ID, 1) as folder:
        (folder / "map").write_bytes(b"map")


def with_result(live: LiveBucket, tmp_path: Path) -> tuple[Bucket, BucketArtifactStore]:
    bucket = live.connect()
    store = BucketArtifactStore(bucket, tmp_path / "data")
    store.prepare()
    give_result(store)
    return bucket, store


def on_the_disk(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


def test_an_upload_is_one_object_a_job_and_nothing_of_it_stays_on_the_disk(
    store: BucketArtifactStore, live: LiveBucket, tmp_path: Path
) -> None:
    submit(store, JOB_ID, OTHER_ID)

    assert set(live.objects()) == {f"disyre/jobs/{each}/input.tar" for each in (JOB_ID, OTHER_ID)}
    assert on_the_disk(tmp_path) == []


def test_an_object_holds_names_and_bytes_and_nothing_of_who_made_it(
    store: BucketArtifactStore, live: LiveBucket
) -> None:
    submit(store)

    (content,) = live.objects().values()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        (member,) = archive.getmembers()
    assert (member.name, member.uid, member.uname, member.mtime) == ("000001", 0, "", 0)


def test_an_upload_that_cannot_be_put_is_the_input_of_no_job(live: LiveBucket, tmp_path: Path) -> None:
    store = prepared(live, tmp_path, NOBODY_LISTENS)

    with pytest.raises(ArtifactsAway):
        submit(store, JOB_ID, OTHER_ID)

    assert live.objects() == {}
    assert on_the_disk(tmp_path) == []


def test_an_upload_that_cannot_be_copied_for_all_jobs_is_the_input_of_none(
    s3: str, live: LiveBucket, tmp_path: Path
) -> None:
    with answering((200, ""), (403, "AccessDenied"), (204, "")) as endpoint:
        store = BucketArtifactStore(connect(endpoint), tmp_path)
        store.prepare()
        with pytest.raises(ArtifactsAway, match="refuses"):
            submit(store, JOB_ID, OTHER_ID)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_runs_full_while_an_upload_is_packed_is_said(
    store: BucketArtifactStore, number: int, tmp_path: Path
) -> None:
    class FullDisk(type(tmp_path)):  # type: ignore[misc]
        def iterdir(self) -> Iterator[Path]:
            raise OSError(number, "no room")

    with pytest.raises(StorageFull, match="disk ran full"), store.incoming() as folder:
        store.accept(FullDisk(folder), JOB_ID)


def test_what_else_fails_while_an_upload_is_packed_is_said_as_it_is(
    store: BucketArtifactStore, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        store.accept(tmp_path / "none", JOB_ID)


def packed(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        facts = tarfile.TarInfo(name)
        facts.size = len(content)
        archive.addfile(facts, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("content", [packed("000001", b"other"), packed("000002", b"scan"), b"no archive"])
def test_a_scan_is_scored_only_if_it_is_the_one_that_was_uploaded(
    store: BucketArtifactStore, live: LiveBucket, tmp_path: Path, content: bytes
) -> None:
    submit(store)
    (tmp_path / "other").write_bytes(content)
    live.connect().put(f"jobs/{JOB_ID}/input.tar", tmp_path / "other")

    with pytest.raises(DamagedArtifact), store.attempt(JOB_ID, 1):
        store.fetch(JOB_ID, GIVEN)


def test_the_scan_and_the_results_are_gone_from_the_workers_disk_when_the_attempt_is_over(
    store: BucketArtifactStore, tmp_path: Path
) -> None:
    submit(store)
    with store.attempt(JOB_ID, 1) as folder:
        store.fetch(JOB_ID, GIVEN)
        (folder / "map").write_bytes(b"map")

    assert on_the_disk(tmp_path) == []
    with pytest.raises(ArtifactNotFound):
        store.input_file(JOB_ID, "000001")


def test_results_of_a_job_that_is_deleted_meanwhile_do_not_stay(
    store: BucketArtifactStore, live: LiveBucket
) -> None:
    submit(store)

    with pytest.raises(ArtifactNotFound, match="no longer stored"), store.attempt(JOB_ID, 1) as folder:
        (folder / "map").write_bytes(b"map")
        store.remove(JOB_ID)

    assert live.objects() == {}


def test_a_result_is_fetched_once_and_its_copy_goes_when_nobody_asked_for_a_while(
    store: BucketArtifactStore, live: LiveBucket, tmp_path: Path
) -> None:
    give_result(store)
    path = store.result_file(JOB_ID, 1, "map")
    live.replace(f"disyre/jobs/{JOB_ID}/attempt-1/map", b"other")

    for old in (path, path.parent, path.parent.parent):
        os.utime(old, (LONG_AGO, LONG_AGO))
    assert store.result_file(JOB_ID, 1, "map").read_bytes() == b"map"
    store.sweep(older_than_s=60)
    assert path.exists(), "it was asked for just now"
    for old in (path, path.parent, path.parent.parent):
        os.utime(old, (LONG_AGO, LONG_AGO))
    store.sweep(older_than_s=60)

    assert on_the_disk(tmp_path) == []
    with pytest.raises(DamagedArtifact):
        store.result_file(JOB_ID, 1, "map")
    assert on_the_disk(tmp_path) == []


def test_a_result_that_many_ask_for_at_a_time_is_fetched_once(
    live: LiveBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, store = with_result(live, tmp_path)
    get, fetched = bucket.get, []

    def slow_get(key: str, path: Path) -> None:
        fetched.append(key)
        time.sleep(0.2)
        get(key, path)

    monkeypatch.setattr(bucket, "get", slow_get)

    with ThreadPoolExecutor(8) as threads:
        paths = set(threads.map(lambda _: store.result_file(JOB_ID, 1, "map"), range(8)))

    assert len(fetched) == len(paths) == 1
    assert paths.pop().read_bytes() == b"map"


def test_a_bucket_that_did_not_answer_is_asked_for_results_again_only_once_it_is_there(
    live: LiveBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, store = with_result(live, tmp_path)
    get, is_away, asked = bucket.get, [True], []

    def get_if_there(key: str, path: Path) -> None:
        asked.append("get")
        look()
        get(key, path)

    def look() -> None:
        if is_away[0]:
            raise ArtifactsAway("gone to lunch")

    monkeypatch.setattr(bucket, "get", get_if_there)
    monkeypatch.setattr(bucket, "check", look)

    for _ in range(3):
        with pytest.raises(ArtifactsAway, match="gone to lunch"):
            store.result_file(JOB_ID, 1, "map")
    assert asked == ["get"]

    is_away[0] = False
    assert store.result_file(JOB_ID, 1, "map").read_bytes() == b"map"


def test_a_result_that_is_fetched_while_its_job_is_removed_leaves_no_copy(
    live: LiveBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, store = with_result(live, tmp_path)
    get = bucket.get

    def get_and_remove(key: str, path: Path) -> None:
        get(key, path)
        store.remove(JOB_ID)

    monkeypatch.setattr(bucket, "get", get_and_remove)

    with pytest.raises(ArtifactNotFound, match="no longer stored"):
        store.result_file(JOB_ID, 1, "map")

    assert on_the_disk(tmp_path) == []
    assert live.objects() == {}


def test_a_result_is_not_found_whose_folder_is_removed_as_its_copy_is_put_there(
    store: BucketArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_result(store)
    rename = Path.rename

    def remove_and_rename(path: Path, target: Path) -> Path:
        target.parent.rmdir()
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", remove_and_rename)

    with pytest.raises(ArtifactNotFound, match="no longer stored"):
        store.result_file(JOB_ID, 1, "map")

    assert on_the_disk(tmp_path) == []


def test_a_mark_that_cannot_be_read_is_none(store: BucketArtifactStore, live: LiveBucket) -> None:
    live.connect().write("store-mark.json", b"\xff")

    assert store.mark() is None


def test_a_bucket_that_comes_back_is_seen(live: LiveBucket, tmp_path: Path) -> None:
    line = Line(live.endpoint)
    store = prepared(live, tmp_path, line.address)
    submit(store)
    line.is_cut = True
    line.drop()
    with pytest.raises(ArtifactsAway):
        store.remove(JOB_ID)
    line.is_cut = False

    store.remove(JOB_ID)

    assert live.objects() == {}
    line.close()


def test_nobody_else_on_the_machine_can_look(store: BucketArtifactStore, tmp_path: Path) -> None:
    give_result(store)
    store.result_file(JOB_ID, 1, "map")

    folders = [path for path in (tmp_path / "data").iterdir() if path.is_dir()]
    assert {oct(path.stat().st_mode & 0o077) for path in folders} == {"0o0"}


def emptied(live: LiveBucket) -> None:
    for key in live.objects():
        live.connect().remove(key.removeprefix("disyre/"))


def marked_otherwise(live: LiveBucket) -> None:
    live.connect().write("store-mark.json", StoreMark(id=OTHER_ID, count=9).model_dump_json().encode())


@pytest.mark.parametrize("spoil", [emptied, marked_otherwise])
def test_a_bucket_that_is_not_that_of_the_records_is_away_and_loses_no_job(
    live: LiveBucket, tmp_path: Path, spoil: Callable[[LiveBucket], None]
) -> None:
    jobs = InMemoryJobStore()
    jobs.add(make_job())
    store = of_records(live, tmp_path / "data", jobs)
    give_result(store)
    jobs.set_mark(MARK)
    store.set_mark(MARK)
    spoil(live)
    before = live.objects()

    for other in (store, of_records(live, tmp_path / "other", jobs)):  # one that knew it, and one that starts
        assert not other.is_reachable()
        with pytest.raises(ArtifactsAway, match="mark"):
            other.result_file(JOB_ID, 1, "none")
        with pytest.raises(ArtifactsAway, match="mark"):
            other.set_mark(MARK.next())
    starting = of_records(live, tmp_path / "third", jobs)
    with pytest.raises(ArtifactsAway, match="mark"):
        submit(starting, OTHER_ID)
    assert live.objects() == before


def test_what_an_empty_bucket_lacks_is_no_reason_to_fail_a_job(live: LiveBucket, tmp_path: Path) -> None:
    jobs = InMemoryJobStore()
    jobs.add(make_job())
    jobs.set_mark(MARK)
    store = of_records(live, tmp_path / "data", jobs)

    with pytest.raises(ArtifactsAway, match="empty"), store.attempt(JOB_ID, 1):
        store.fetch(JOB_ID, GIVEN)
    with pytest.raises(ArtifactsAway, match="empty"), store.attempt(JOB_ID, 1):
        pass
    with pytest.raises(ArtifactsAway, match="empty"):
        store.has_input(JOB_ID, GIVEN)
    with pytest.raises(ArtifactsAway, match="empty"):
        store.remove(JOB_ID)


def test_a_bucket_without_its_mark_that_has_a_known_job_is_the_right_one(
    live: LiveBucket, tmp_path: Path
) -> None:
    jobs = InMemoryJobStore()
    jobs.add(make_job())
    submit(prepared(live, tmp_path / "first"))
    jobs.set_mark(MARK)
    store = of_records(live, tmp_path / "data", jobs)

    assert store.is_reachable()
    assert store.mark() is None
    store.set_mark(MARK)
    assert store.mark() == MARK
    assert store.is_reachable(), "as of a few seconds ago"
