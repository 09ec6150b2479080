"""Cancels jobs of a running stack at every stage, and sees how soon they have ended and what they leave."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.drills.stages import STAGES
from tests.e2e.stack import FINISHED, Serve
from tests.live import wait_for


@dataclass
class CancelLoop:
    """A job after the other, each canceled when it has come to a stage."""

    serve: Serve
    scan: Path
    n_rounds: int
    took_s: dict[str, list[float]] = field(default_factory=dict)
    """From the answer that the worker was asked to stop until the job has ended, by stage."""

    def run(self) -> dict[str, Any]:
        """Cancel, and look; returns figures. Fails if a job does not end as canceled, or leaves results."""
        self.serve.wait_until_finished(self._submit())  # the networks are loaded
        for stage in STAGES * self.n_rounds:
            self._cancel_at(stage)
        last = self.serve.wait_until_finished(self._submit())
        assert last["state"] == "succeeded", last["error"]
        return {
            "jobs": sum(map(len, self.took_s.values())),
            "longest_s": {stage: round(max(times), 2) for stage, times in self.took_s.items()},
        }

    def _submit(self) -> str:
        options = {"bias_correction": "true"}
        answer = self.serve.post("/v1/jobs", content=self.scan.read_bytes(), params=options)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["id"])

    def _cancel_at(self, stage: str) -> None:
        """Cancel a job at a stage; one that was missed is counted to the stage where the wish came."""
        job_id = self._submit()
        wait_for(lambda: self._stage(job_id) in (stage, "finished"), f"the job is {stage}", within_s=90)
        answer = self.serve.post(f"/v1/jobs/{job_id}/cancel")
        asked_at = time.monotonic()
        if answer.status_code == httpx.codes.CONFLICT:  # it was quicker
            return
        seen = (answer.json()["progress"] or {}).get("stage", "queued")
        job = self.serve.wait_until_finished(job_id)
        self.took_s.setdefault(seen, []).append(time.monotonic() - asked_at)
        assert job["state"] == "canceled", job["error"]
        folder = self.serve.data_dir / "jobs" / job_id
        wait_for(lambda: [each.name for each in folder.iterdir()] == ["input"], "its results are gone")

    def _stage(self, job_id: str) -> str:
        job = self.serve.job(job_id) or {}
        if job.get("state") in FINISHED:
            return "finished"
        return str((job.get("progress") or {}).get("stage", "queued"))
