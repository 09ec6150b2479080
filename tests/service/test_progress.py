"""How far a job is, as its clients see it."""

from functools import partial

from disyre.job import Job, JobState
from disyre.progress import Progress
from service.schemas import ProgressView
from tests.builders import NOON
from tests.service.live_api import LiveApi, succeed


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
