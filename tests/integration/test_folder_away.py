"""The data folder goes away while jobs run and wait: as a share that is not mounted, it is empty then."""

from pathlib import Path

import pytest

from disyre.job_state import JobState
from service.orphans import Orphans
from tests.integration.workplace import Workplace
from tests.live import LiveBroker, wait_for
from tests.toy_model import SLOW_MODEL


@pytest.fixture
def workplace(own_broker: LiveBroker, models: Path, tmp_path: Path) -> Workplace:
    return Workplace(own_broker, models, tmp_path)


def test_jobs_outlive_a_folder_that_is_away_for_a_while(workplace: Workplace) -> None:
    data, unmounted = workplace.folder / "data", workplace.folder / "unmounted"
    Orphans(workplace.jobs, workplace.artifacts).sweep()
    running = workplace.submit(model=SLOW_MODEL)
    with workplace.worker() as worker:
        workplace.wait_until_restoring(running)
        waiting = [workplace.submit() for _ in range(2)]

        data.rename(unmounted)
        data.mkdir()
        wait_for(lambda: "back to the queue" in worker.text(), "the job is given back", within_s=60)
        for _ in range(5):
            workplace.reap()
        states = [workplace.jobs.get(job_id).state for job_id in (running, *waiting)]
        assert not {JobState.FAILED, JobState.SUCCEEDED} & set(states)
        assert not list(data.iterdir()), "nothing is put below the mount point"
        data.rmdir()
        unmounted.rename(data)

        jobs = [workplace.wait_until_finished(job_id) for job_id in (running, *waiting)]

    assert [job.n_losses for job in jobs] == [0, 0, 0]
    for job in jobs:
        workplace.assert_one_whole_result(job)
    assert "Traceback" not in worker.text()
