from collections.abc import Iterator

import pytest

from disyre.job_state import JobState
from tests.hostile.hostile import Hostile
from tests.hostile.scene import INPUTS, Scene, scene
from tests.live import ROOT, wait_for


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.mark.filterwarnings("ignore:Unknown encoding:UserWarning")
@pytest.mark.parametrize("hostile", INPUTS, ids=lambda hostile: f"{hostile.kind}: {hostile.what}")
def test_a_hostile_input_is_answered_as_expected_and_leaves_no_file(service: Scene, hostile: Hostile) -> None:
    assert service.try_out(hostile) == hostile.expected

    wait_for(lambda: not service.api.left_behind(), "what was sent is gone")


def test_after_all_of_them_a_good_scan_is_scored_by_the_same_worker(service: Scene) -> None:
    workers = [worker.id for worker in service.workplace.registry.workers()]

    job = service.workplace.wait_until_finished(service.workplace.submit())

    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)
    assert [worker.id for worker in service.workplace.registry.workers()] == workers


def test_the_document_has_the_table_of_all_of_them() -> None:
    rows = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").splitlines()

    for hostile in INPUTS:
        row = f"| {hostile.kind} | {hostile.what} | {hostile.expected} | {hostile.expected} |"
        assert any(line.startswith(row) for line in rows), row


def test_names_are_given_once() -> None:
    names = [(hostile.kind, hostile.what) for hostile in INPUTS]

    assert len(set(names)) == len(names) >= 30
