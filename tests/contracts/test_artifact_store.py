"""What holds of every artifact store: a folder, or a bucket between machines that share nothing else."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.bucket_artifact_store import BucketArtifactStore
from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.errors import ArtifactNotFound, ArtifactsAway, JobCanceled, TimedOut
from disyre.job_input import InputFile, JobInput
from disyre.store_mark import StoreMark
from tests.builders import JOB_ID
from tests.live_bucket import Line, make_bucket

OTHER_ID = JOB_ID.replace("0001", "0002")
FILES = {"000001": b"scan", "000002": b"", "mask": b"mask" * 2**19}
Machines: TypeAlias = Callable[[str], ArtifactStore]
"""The store as a program on a machine of this name has it."""


@dataclass(frozen=True)
class Shared:
    """What machines share, which may be away for a while."""

    machines: Machines
    leave: Callable[[], None]
    come_back: Callable[[], None]


@pytest.fixture(params=["folder", "bucket"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    if request.param == "folder":
        yield folder_of(tmp_path)
        return
    bucket = make_bucket(request.getfixturevalue("s3"), f"bucket-{tmp_path.name[-40:].strip('-_').lower()}")
    line = Line(bucket.endpoint)
    connected = bucket.connect(line.address, timeout_s=2.0)

    def cut(is_cut: bool) -> None:
        line.is_cut = is_cut
        line.drop()

    yield Shared(
        lambda name: _prepared(BucketArtifactStore(connected, tmp_path / name)),
        lambda: cut(True),
        lambda: cut(False),
    )
    line.close()


def folder_of(tmp_path: Path) -> Shared:
    """A share, and the empty folder that is seen in its place while it is not mounted."""
    mounted, unmounted = tmp_path / "shared", tmp_path / "not mounted"

    def leave() -> None:
        mounted.rename(unmounted)
        mounted.mkdir()

    def come_back() -> None:
        mounted.rmdir()
        unmounted.rename(mounted)

    return Shared(lambda name: _prepared(FolderArtifactStore(mounted)), leave, come_back)


@pytest.fixture
def machines(shared: Shared) -> Machines:
    return shared.machines


def _prepared(store: ArtifactStore) -> ArtifactStore:
    store.prepare()
    return store


def given(files: dict[str, bytes]) -> JobInput:
    facts = [
        InputFile(
            name=name, format="nifti", sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content)
        )
        for name, content in files.items()
    ]
    scan = tuple(file for file in facts if file.name != "mask")
    return JobInput(files=scan, mask=next((file for file in facts if file.name == "mask"), None))


def submit(store: ArtifactStore, *job_ids: str, files: dict[str, bytes] = FILES) -> None:
    with store.incoming() as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        store.accept(folder, *job_ids)


def score(store: ArtifactStore, attempt: int = 1, *, job_id: str = JOB_ID) -> None:
    with store.attempt(job_id, attempt) as folder:
        (folder / "map").write_bytes(b"%d" % attempt)
        (folder / "summary").write_bytes(b"{}")


def test_an_upload_on_one_machine_is_the_input_of_a_job_on_another(machines: Machines) -> None:
    submit(machines("api"), JOB_ID)
    worker = machines("worker")

    with worker.attempt(JOB_ID, 1):
        asked: list[None] = []
        worker.fetch(JOB_ID, given(FILES), on_step=lambda: asked.append(None))
        assert {name: worker.input_file(JOB_ID, name).read_bytes() for name in FILES} == FILES
        with pytest.raises(ArtifactNotFound):
            worker.input_file(JOB_ID, "000003")


def test_results_of_one_machine_are_served_by_another_once_they_are_whole(machines: Machines) -> None:
    submit(machines("api"), JOB_ID)
    other = machines("other-api")

    with machines("worker").attempt(JOB_ID, 1) as folder:
        (folder / "map").write_bytes(b"half")
        with pytest.raises(ArtifactNotFound):
            other.result_file(JOB_ID, 1, "map")

    assert [other.result_file(JOB_ID, 1, "map").read_bytes() for _ in range(2)] == [b"half"] * 2
    for attempt, name in ((1, "other"), (2, "map")):
        with pytest.raises(ArtifactNotFound):
            other.result_file(JOB_ID, attempt, name)


def test_an_upload_of_several_jobs_is_the_input_of_each(machines: Machines) -> None:
    api = machines("api")
    submit(api, JOB_ID, OTHER_ID)

    assert api.job_ids() == {JOB_ID, OTHER_ID}
    api.remove(JOB_ID)
    assert (api.has_input(JOB_ID, given(FILES)), api.has_input(OTHER_ID, given(FILES))) == (False, True)
    worker = machines("worker")
    with worker.attempt(OTHER_ID, 1):
        worker.fetch(OTHER_ID, given(FILES))
        assert worker.input_file(OTHER_ID, "000001").read_bytes() == b"scan"


def test_a_job_has_that_part_of_an_upload_alone_that_it_is_given(machines: Machines) -> None:
    api, worker = machines("api"), machines("worker")
    parts = {JOB_ID: {"000001"}, OTHER_ID: {"000001", "mask"}}
    with api.incoming() as folder:
        for name, content in {**FILES, "000003": b"nobody's"}.items():
            (folder / name).write_bytes(content)
        api.accept(folder, JOB_ID, OTHER_ID, only={key: frozenset(names) for key, names in parts.items()})

    assert not folder.exists()
    for job_id, names in parts.items():
        files = {name: FILES[name] for name in sorted(names)}
        assert api.has_input(job_id, given(files))
        with worker.attempt(job_id, 1):
            worker.fetch(job_id, given(files))
            assert {name: worker.input_file(job_id, name).read_bytes() for name in names} == files
            with pytest.raises(ArtifactNotFound):
                worker.input_file(job_id, "000003")


def test_beside_jobs_that_have_a_part_of_an_upload_others_have_all_of_it(machines: Machines) -> None:
    api = machines("api")
    with api.incoming() as folder:
        for name, content in FILES.items():
            (folder / name).write_bytes(content)
        api.accept(folder, OTHER_ID, JOB_ID, only={JOB_ID: frozenset({"000002"})})

    api.remove(JOB_ID)
    worker = machines("worker")
    with worker.attempt(OTHER_ID, 1):
        worker.fetch(OTHER_ID, given(FILES))
        assert {name: worker.input_file(OTHER_ID, name).read_bytes() for name in FILES} == FILES


def test_an_attempt_that_fails_leaves_nothing(machines: Machines) -> None:
    api = machines("api")
    submit(api, JOB_ID)

    with pytest.raises(ValueError, match="broken"), machines("worker").attempt(JOB_ID, 1) as folder:
        (folder / "map").write_bytes(b"half")
        raise ValueError("broken")

    with pytest.raises(ArtifactNotFound):
        api.result_file(JOB_ID, 1, "map")
    assert api.has_input(JOB_ID, given(FILES))


@pytest.mark.parametrize("error", [JobCanceled, TimedOut])
def test_results_of_an_attempt_that_is_stopped_while_they_are_stored_are_not_kept(
    machines: Machines, error: type[BaseException]
) -> None:
    api, worker = machines("api"), machines("worker")
    submit(api, JOB_ID)

    def stop() -> None:
        raise error

    with pytest.raises(error), worker.attempt(JOB_ID, 1, on_step=stop) as folder:
        (folder / "map").write_bytes(b"map")
        (folder / "summary").write_bytes(b"{}")

    for name in ("map", "summary"):
        with pytest.raises(ArtifactNotFound):
            api.result_file(JOB_ID, 1, name)
    score(worker, 2)
    assert api.result_file(JOB_ID, 2, "map").read_bytes() == b"2"


@pytest.mark.parametrize("kept", [2, None])
def test_other_attempts_than_the_one_that_counts_are_removed(machines: Machines, kept: int | None) -> None:
    submit(machines("api"), JOB_ID)
    worker = machines("worker")
    for attempt in (1, 2, 20):
        score(worker, attempt)

    worker.keep_only(JOB_ID, kept)

    other = machines("other-api")
    for attempt in {1, 2, 20} - {kept}:
        with pytest.raises(ArtifactNotFound):
            other.result_file(JOB_ID, attempt, "map")
    if kept:
        assert other.result_file(JOB_ID, kept, "map").read_bytes() == b"2"
    assert other.has_input(JOB_ID, given(FILES))


def test_without_its_input_a_job_keeps_its_results(machines: Machines) -> None:
    submit(machines("api"), JOB_ID)
    worker = machines("worker")
    score(worker)
    assert worker.ids_with_input() == {JOB_ID}

    for _ in range(2):
        worker.remove_input(JOB_ID)

    other = machines("other-api")
    assert not other.has_input(JOB_ID, given(FILES))
    assert other.ids_with_input() == set()
    assert other.result_file(JOB_ID, 1, "map").read_bytes() == b"1"
    assert other.job_ids() == {JOB_ID}


def test_of_a_job_that_is_removed_nothing_can_be_had_and_nothing_can_be_added(machines: Machines) -> None:
    api, worker = machines("api"), machines("worker")
    submit(api, JOB_ID)
    score(worker)
    api.result_file(JOB_ID, 1, "map")

    api.remove(JOB_ID)
    api.remove(JOB_ID)

    with pytest.raises(ArtifactNotFound):
        api.result_file(JOB_ID, 1, "map")
    with pytest.raises(ArtifactNotFound):
        score(worker, 2)
    assert api.job_ids() == set()


def test_the_files_carry_a_mark(machines: Machines) -> None:
    api = machines("api")
    assert api.mark() is None

    for count in range(2):
        api.set_mark(StoreMark(id=JOB_ID, count=count))

    assert machines("other-api").mark() == StoreMark(id=JOB_ID, count=1)
    assert api.job_ids() == set()


def test_the_store_can_be_reached_and_has_room(machines: Machines) -> None:
    api = machines("api")

    assert api.is_reachable()
    assert api.free_room().n_bytes > 0
    assert api.sweep(older_than_s=60) == []


def test_what_is_away_is_not_gone_and_is_there_again_afterwards(shared: Shared) -> None:
    api, worker = shared.machines("api"), shared.machines("worker")
    submit(api, JOB_ID)
    score(worker)
    for store in (api, worker):
        store.set_mark(StoreMark(id=JOB_ID))
    shared.leave()

    for ask in (
        lambda: submit(api, OTHER_ID),
        lambda: api.has_input(JOB_ID, given(FILES)),
        lambda: fetch(worker, 2),
        lambda: score(worker, 2),
        lambda: api.result_file(JOB_ID, 1, "map"),
        lambda: api.keep_only(JOB_ID, 1),
        lambda: api.remove_input(JOB_ID),
        api.ids_with_input,
        lambda: api.remove(JOB_ID),
        api.job_ids,
        api.mark,
        lambda: api.set_mark(StoreMark(id=OTHER_ID)),
    ):
        with pytest.raises(ArtifactsAway):
            ask()
    assert not api.is_reachable()
    shared.come_back()

    assert api.job_ids() == {JOB_ID}
    assert api.has_input(JOB_ID, given(FILES))
    assert api.mark() == StoreMark(id=JOB_ID)
    assert api.result_file(JOB_ID, 1, "map").read_bytes() == b"1"
    score(worker, 2)


def fetch(store: ArtifactStore, attempt: int) -> None:
    with store.attempt(JOB_ID, attempt):
        store.fetch(JOB_ID, given(FILES))


def test_a_scan_that_is_gone_is_told_of_in_words_for_whoever_sent_it(machines: Machines) -> None:
    worker = machines("worker")

    with pytest.raises(ArtifactNotFound, match=r"scan that was uploaded .* no longer stored"):
        fetch(worker, 1)
