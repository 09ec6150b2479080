"""How far a job is, as its clients see it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.worker_registry import InMemoryWorkerRegistry
from disyre.errors import Unavailable
from disyre.job import Job
from disyre.job_state import JobState
from disyre.progress import Progress
from service.schemas import JobView, ProgressView
from service.waiting_line import QueueWatch
from tests.builders import NOON, make_job
from tests.service.live_api import LiveApi, live_api, succeed

FIRST, SECOND = (f"019b7a00-0000-7000-8000-00000000000{n}" for n in (1, 2))


@dataclass
class Clock:
    at: datetime = field(default=NOON)

    def __call__(self) -> datetime:
        return self.at


def test_stages_without_steps_say_none_and_a_job_that_succeeded_is_done(api: LiveApi, scan: bytes) -> None:
    path = api.client.post("/v1/jobs", content=scan).headers["Location"]
    job = api.jobs.update(path.rpartition("/")[2], lambda job: job.start(at=NOON))
    told = [api.client.get(path).json()["progress"]]
    reading = Progress(stage="reading", fraction=0.125)
    restoring = Progress(stage="restoring", step=0, steps=4, fraction=0.25, eta_s=3.5)

    for progress in (reading, restoring):
        api.jobs.update(job.id, partial(Job.report, progress=progress, attempt=1))
        told.append(api.client.get(path).json()["progress"])
    succeed(api, job, {"summary.json": b"{}"})
    told.append(api.client.get(path).json()["progress"])

    no_steps = {"step": None, "steps": None}
    assert told == [
        None,
        {"stage": "reading", **no_steps, "fraction": 0.125, "eta_s": None},
        {"stage": "restoring", "step": 0, "steps": 4, "fraction": 0.25, "eta_s": 3.5},
        {"stage": "succeeded", **no_steps, "fraction": 1.0, "eta_s": 0.0},
    ]
    assert '"fraction":1.0' in api.client.get(f"{path}/events").text


def test_a_job_that_ended_otherwise_has_none() -> None:
    assert [ProgressView.of(None, state) for state in (JobState.FAILED, JobState.CANCELED)] == [None, None]


def finding_brain(jobs: InMemoryJobStore, *, eta_s: float | None, elapsed_s: float | None) -> Job:
    """The second job runs since noon, and its worker said so much of it."""
    jobs.add(make_job(SECOND))
    jobs.update(SECOND, lambda job: job.start(at=NOON))
    told = Progress(stage="finding-brain", fraction=0.1, eta_s=eta_s, elapsed_s=elapsed_s)
    return jobs.update(SECOND, lambda job: job.report(told, attempt=1))


@pytest.mark.parametrize(
    ("elapsed_s", "now_s", "left_s"),
    [(3, 3, 20), (3, 8, 15), (3, 60, 0), (3, 1, 20), (None, 60, 20)],
    ids=["just said", "a while ago", "overdue", "by a clock that is ahead", "by an older worker"],
)
def test_what_is_left_of_a_job_becomes_less_while_its_worker_says_nothing(
    tmp_path: Path, elapsed_s: float | None, now_s: float, left_s: float
) -> None:
    jobs = InMemoryJobStore(clock=Clock(NOON + timedelta(seconds=now_s)))
    finding_brain(jobs, eta_s=20, elapsed_s=elapsed_s)

    with live_api(tmp_path, jobs=jobs) as api:
        response = api.client.get(f"/v1/jobs/{SECOND}")
        listed = api.client.get("/v1/jobs").json()["jobs"][0]

    assert response.json()["progress"]["eta_s"] == listed["progress"]["eta_s"] == left_s
    assert response.headers["Retry-After"] == str(max(1, -(-left_s // 4)))
    assert response.headers["ETag"] == '"3"'


def test_a_worker_that_cannot_tell_yet_is_helped_out_by_what_jobs_of_the_model_took() -> None:
    clock = Clock()
    jobs = InMemoryJobStore(clock=clock)
    jobs.add(make_job(FIRST))
    jobs.update(FIRST, lambda job: job.start(at=NOON))
    end = NOON + timedelta(seconds=46)
    jobs.update(FIRST, lambda job: job.succeed(attempt=1, artifacts=(), summary={}, provider="CPU", at=end))
    job = finding_brain(jobs, eta_s=None, elapsed_s=3)
    clock.at = NOON + timedelta(seconds=6)

    view = JobView.of(job, left_s=QueueWatch(jobs, InMemoryWorkerRegistry()).left_s(job))

    assert view.progress is not None
    assert (view.progress.eta_s, view.retry_after_s()) == (40, 10)


def test_while_the_broker_is_away_what_was_said_last_counts() -> None:
    class AwayJobStore(InMemoryJobStore):
        def now(self) -> datetime:
            raise Unavailable("away")

    jobs = AwayJobStore()
    job = finding_brain(jobs, eta_s=20, elapsed_s=3)

    view = JobView.of(job, left_s=QueueWatch(jobs, InMemoryWorkerRegistry()).left_s(job))

    assert view.progress is not None
    assert view.progress.eta_s == 20
