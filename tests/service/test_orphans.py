"""Files without a record go, and no others."""

from datetime import timedelta
from pathlib import Path

import pytest

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.job_id import new_job_id
from disyre.store_mark import StoreMark
from service.orphans import Orphans
from tests.builders import NOON, make_job

HOUR = timedelta(hours=1)
BEFORE, EARLY, LATE = (new_job_id(NOON + n * HOUR) for n in (-1, 1, 2.5))


@pytest.fixture
def jobs() -> InMemoryJobStore:
    return InMemoryJobStore(clock=lambda: NOON)


@pytest.fixture
def artifacts(tmp_path: Path) -> FolderArtifactStore:
    """Inputs of a job from before the sweep was there, and of two from after that."""
    artifacts = FolderArtifactStore(tmp_path)
    artifacts.prepare()
    for job_id in (BEFORE, EARLY, LATE):
        with artifacts.incoming() as folder:
            (folder / "000001").write_bytes(b"scan")
            artifacts.accept(folder, job_id)
    (tmp_path / "jobs" / "0 not a job").mkdir()
    return artifacts


@pytest.fixture
def orphans(jobs: InMemoryJobStore, artifacts: FolderArtifactStore) -> Orphans:
    """At noon the first look was taken: records and files belong together since."""
    orphans = Orphans(jobs, artifacts, every_s=1e-6)
    orphans.sweep()
    jobs.clock = lambda: NOON + 3 * HOUR
    return orphans


def test_files_without_a_record_go_when_they_are_an_hour_old(
    orphans: Orphans, artifacts: FolderArtifactStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    orphans.sweep()
    assert artifacts.job_ids() == {BEFORE, EARLY, LATE}, "once is not enough"

    orphans.sweep()

    assert artifacts.job_ids() == {BEFORE, LATE}
    assert (tmp_path / "jobs" / "0 not a job").is_dir()
    assert f"job {EARLY} has files and no record: removing them" in caplog.text


def test_the_scan_of_a_job_that_has_succeeded_goes_though_its_worker_was_killed_before_it_did_that(
    jobs: InMemoryJobStore, artifacts: FolderArtifactStore, caplog: pytest.LogCaptureFixture
) -> None:
    scored = make_job(EARLY).start(at=NOON)
    jobs.add(scored.succeed(attempt=1, artifacts=(), summary={}, provider="cpu", at=NOON), make_job(LATE))
    with artifacts.attempt(EARLY, 1) as folder:
        (folder / "map").write_bytes(b"map")

    Orphans(jobs, artifacts).sweep()

    assert artifacts.ids_with_input() == {BEFORE, LATE}
    assert artifacts.result_file(EARLY, 1, "map").read_bytes() == b"map"
    assert f"job {EARLY} has succeeded, and its scan is still here: removing it" in caplog.text


def test_files_with_a_record_stay(
    orphans: Orphans, jobs: InMemoryJobStore, artifacts: FolderArtifactStore
) -> None:
    jobs.add(make_job(EARLY))

    orphans.sweep()
    orphans.sweep()

    assert artifacts.job_ids() == {BEFORE, EARLY, LATE}


def test_a_broker_that_lost_its_records_costs_no_files(
    orphans: Orphans, artifacts: FolderArtifactStore, caplog: pytest.LogCaptureFixture
) -> None:
    empty = Orphans(InMemoryJobStore(clock=lambda: NOON + 9 * HOUR), artifacts, every_s=1e-6)

    for _ in range(3):
        empty.sweep()

    assert artifacts.job_ids() == {BEFORE, EARLY, LATE}
    assert "the records in the broker are not those of the files" in caplog.text


@pytest.mark.parametrize("of_another", [True, False])
def test_records_of_other_files_and_old_records_cost_none(
    orphans: Orphans, jobs: InMemoryJobStore, artifacts: FolderArtifactStore, of_another: bool
) -> None:
    old = jobs.mark()
    orphans.sweep()
    jobs.set_mark(StoreMark(id=LATE, count=9) if old is None or of_another else old)

    for _ in range(3):
        orphans.sweep()

    assert artifacts.job_ids() == {BEFORE, EARLY, LATE}


def test_a_folder_whose_mark_was_removed_begins_anew(
    orphans: Orphans, jobs: InMemoryJobStore, artifacts: FolderArtifactStore, tmp_path: Path
) -> None:
    before = jobs.mark()
    (tmp_path / "store-mark.json").write_text("half")

    orphans.sweep()
    jobs.clock = lambda: NOON + 9 * HOUR
    for _ in range(3):
        orphans.sweep()

    assert artifacts.job_ids() == {BEFORE, EARLY, LATE}, "they are from before the new mark"
    assert jobs.mark() == artifacts.mark() != before


def test_one_process_looks_at_a_time(jobs: InMemoryJobStore, artifacts: FolderArtifactStore) -> None:
    first, second = (Orphans(jobs, artifacts) for _ in range(2))

    first.sweep()
    mark = artifacts.mark()
    for each in (second, first):
        each.sweep()

    assert artifacts.mark() == mark
