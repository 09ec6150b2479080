"""Kills programs of a running stack, at every stage of its jobs, until all jobs have ended nevertheless."""

import hashlib
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.drills.stages import STAGES
from tests.e2e.stack import FINISHED, Document, Serve
from tests.live import wait_for

VICTIMS: Final = {
    "child": ("spawn_main",),
    "worker": ("-m worker",),
    "API": ("service",),
    "broker": ("valkey-server", "redis-server"),
}
"""Words in their command lines."""
_LEAST_LEFT: Final = 3
"""Jobs that have not ended when a program is killed, so that there is something to go on with."""
_STAGE_WITHIN_S: Final = 25.0
_RECOVERED_WITHIN_S: Final = 90.0


@dataclass
class KillLoop:
    """Some jobs, and many kills while they are worked on."""

    serve: Serve
    scan: Path
    n_jobs: int
    n_kills: int
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By victim and stage."""
    recoveries_s: list[float] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """Submit, kill, and wait for the end; returns figures. Fails if anything was lost or doubled."""
        expected = self._undisturbed()
        ids = [self._submit() for _ in range(self.n_jobs)]
        for victim, stage in self._plan():
            while sum(job["state"] not in FINISHED for job in self._jobs(ids)) < _LEAST_LEFT:
                ids.append(self._submit())
            self._kill(victim, stage, ids)
        jobs = wait_for(lambda: self._all_finished(ids), "all jobs have ended", within_s=1200)
        outcomes = Counter(self._checked(job, expected) for job in jobs)
        return {
            "jobs": len(ids),
            "kills": sum(self.kills.values()),
            "by_victim": dict(Counter(victim for victim, _ in self.kills.elements())),
            "by_stage": dict(Counter(stage for _, stage in self.kills.elements())),
            "outcomes": dict(outcomes),
            "recovery_s_median": round(sorted(self.recoveries_s)[len(self.recoveries_s) // 2], 1),
            "recovery_s_longest": round(max(self.recoveries_s), 1),
        }

    def _plan(self) -> Iterator[tuple[str, str]]:
        """Every victim at every stage, over and over, in an order that differs."""
        pairs = [(victim, stage) for victim in VICTIMS for stage in STAGES]
        planned: list[tuple[str, str]] = []
        while len(planned) < self.n_kills:
            planned += self.rng.sample(pairs, len(pairs))
        yield from planned[: self.n_kills]

    def _undisturbed(self) -> dict[str, str]:
        """Hashes of the results of a job that nobody disturbs, but for what tells of time and job."""
        job = self.serve.wait_until_finished(self._submit())
        assert job["state"] == "succeeded", job["error"]
        return self._hashes(job["id"])

    def _submit(self) -> str:
        """Submit as a client does that is told to come again."""

        def accepted() -> str | None:
            try:
                answer = self.serve.post("/v1/jobs", content=self.scan.read_bytes())
            except httpx.TransportError:
                return None
            return str(answer.json()["id"]) if answer.status_code == httpx.codes.ACCEPTED else None

        return wait_for(accepted, "the scan is accepted", within_s=120)

    def _kill(self, victim: str, stage: str, ids: list[str]) -> None:
        """Kill a program when a job is at a stage, or as near to it as is seen in time."""
        seen = self._wait_for_stage(stage, ids)
        before = self._trace(ids)
        word = next(word for word in VICTIMS[victim] if self._runs(word))
        self.serve.kill(word)
        killed_at = time.monotonic()
        wait_for(lambda: self._has_moved(ids, before), "the service works on", within_s=_RECOVERED_WITHIN_S)
        self.recoveries_s.append(time.monotonic() - killed_at)
        self.kills[victim, seen] += 1

    def _runs(self, word: str) -> bool:
        return any(word in process.command for process in self.serve.processes())

    def _wait_for_stage(self, stage: str, ids: list[str]) -> str:
        """Wait for a stage; the one that was seen last."""
        deadline, seen = time.monotonic() + _STAGE_WITHIN_S, "queued"
        while time.monotonic() < deadline:
            stages = [self._stage(job) for job in self._jobs(ids) if job["state"] not in FINISHED]
            if stage in stages:
                return stage
            seen = stages[0] if stages else seen
            if len(stages) < _LEAST_LEFT:  # else all may have ended when the program is killed
                ids.append(self._submit())
        return seen

    @staticmethod
    def _stage(job: Document) -> str:
        return (job.get("progress") or {}).get("stage", "queued") if job["state"] == "running" else "queued"

    def _jobs(self, ids: list[str]) -> list[Document]:
        """All jobs that the API tells of now, the oldest first."""
        found = [self.serve.job(job_id) for job_id in ids]
        return [job for job in found if job is not None]

    def _trace(self, ids: list[str]) -> dict[str, tuple[str, int, float]]:
        """How far the jobs are."""
        return {
            job["id"]: (job["state"], job["attempt"], (job.get("progress") or {}).get("fraction", 0.0))
            for job in self._jobs(ids)
        }

    def _has_moved(self, ids: list[str], before: dict[str, tuple[str, int, float]]) -> bool:
        """Whether a job has been worked on since: it runs further, or has ended."""
        now = self._trace(ids)
        return len(now) == len(ids) and any(
            now[job_id] != seen and now[job_id][0] in {"running", *FINISHED}
            for job_id, seen in before.items()
        )

    def _all_finished(self, ids: list[str]) -> list[Document] | None:
        jobs = self._jobs(ids)
        return jobs if len(jobs) == len(ids) and all(job["state"] in FINISHED for job in jobs) else None

    def _checked(self, job: Document, expected: dict[str, str]) -> str:
        """How a job ended; fails if its results are not whole, or not those of one undisturbed run."""
        ends = [entry["state"] for entry in job["history"] if entry["state"] in FINISHED]
        assert ends == [job["state"]], job["history"]
        if job["state"] != "succeeded":
            return str(job["error"]["code"])
        self.serve.assert_one_whole_result(job)
        assert self._hashes(job["id"]) == expected
        return "succeeded"

    def _hashes(self, job_id: str) -> dict[str, str]:
        results = self.serve.get(f"/v1/jobs/{job_id}/results").json()["results"]
        images = [artifact for artifact in results if artifact["name"].endswith((".nii.gz", ".png"))]
        return {
            artifact["name"]: hashlib.sha256(self.serve.get(artifact["href"]).content).hexdigest()
            for artifact in images
        }
