"""`disyre submit` as tests call it, and what does its jobs."""

import threading
from datetime import UTC, datetime
from pathlib import Path

from cli.main import main
from disyre.job import Job, JobProblem
from tests.service.live_api import LiveApi, succeed

MAP = b"map"


def submit(api: LiveApi, *arguments: str | Path) -> int:
    return main(["submit", *map(str, arguments), "--url", str(api.client.base_url), "--model", "t1w"])


def work(api: LiveApi, done: threading.Event) -> None:
    while not done.wait(0.02):
        for job_id in api.jobs.waiting():
            job = api.jobs.update(job_id, lambda job: job.start(at=datetime.now(UTC)))
            if "fail" in job.params.labels:
                fail(api, job)
            else:
                succeed(api, job, {"anomaly.nii.gz": MAP})


def fail(api: LiveApi, job: Job) -> None:
    problem = JobProblem(code="not-brain-mr", detail="expected a brain")
    api.jobs.update(job.id, lambda job: job.fail(problem, attempt=1, at=datetime.now(UTC)))
