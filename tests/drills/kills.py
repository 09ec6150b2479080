"""Kills each program of a running stack at each stage of its jobs; all jobs have to end nevertheless."""

import hashlib
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx

from tests.drills.stages import STAGES
from tests.e2e.stack import FINISHED, Document, Serve
from tests.live import wait_for

AT_STAGES: Final = "kills_at_stages"
"""The figure that `kill_table` shows."""
VICTIMS: Final = {
    "child": ("spawn_main",),
    "worker": ("-m worker",),
    "API": ("service",),
    "broker": ("valkey-server", "redis-server"),
}
"""Words in their command lines."""
_LEAST_LEFT: Final = 3
"""Jobs that have not ended when a program is killed, so that there is something to go on with."""
_STAGE_WITHIN_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.01
_RECOVERED_WITHIN_S: Final = 90.0

Trace: TypeAlias = dict[str, tuple[str, int, float]]
"""Of each job its state, its attempt, and how much of it is done."""


@dataclass(frozen=True)
class Input:
    """What jobs are submitted with."""

    scan: Path
    bias_correction: bool = False


@dataclass
class KillLoop:
    """Some jobs, and many kills while they are worked on."""

    serve: Serve
    inputs: tuple[Input, ...]
    """Submitted in turns; by their bias correction they are told apart."""
    n_jobs: int
    n_kills: int
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By victim and stage."""
    missed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The same of those that were waited for in vain: the victim was killed at another stage."""
    recoveries_s: list[float] = field(default_factory=list)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=10, trust_env=False))
    """Looks for stages; one of its own for each look would take longer than some stages."""

    def run(self) -> dict[str, Any]:
        """Submit, kill, and wait for the end; returns figures. Fails if anything was lost or doubled."""
        with self.http:
            return self._run()

    def _run(self) -> dict[str, Any]:
        expected = {each.bias_correction: self._undisturbed(each) for each in self.inputs}
        waiting = cycle(self.inputs)
        ids = [self._submit(next(waiting)) for _ in range(self.n_jobs)]
        for _, victim in zip(range(self.n_kills), cycle(VICTIMS), strict=False):
            while len(self._unfinished(ids)) < _LEAST_LEFT:
                ids.append(self._submit(next(waiting)))
            self._kill(victim, self._next_stage(victim), ids, waiting)
        jobs = wait_for(lambda: self._all_finished(ids), "all jobs have ended", within_s=1200)
        outcomes = Counter(self._checked(job, expected) for job in jobs)
        return {
            "jobs": len(ids),
            "kills": sum(self.kills.values()),
            AT_STAGES: {victim: {stage: self.kills[victim, stage] for stage in STAGES} for victim in VICTIMS},
            "stages waited for in vain": sum(self.missed.values()),
            "outcomes": dict(outcomes),
            "recovery_s_median": round(sorted(self.recoveries_s)[len(self.recoveries_s) // 2], 1),
            "recovery_s_longest": round(max(self.recoveries_s), 1),
        }

    def _next_stage(self, victim: str) -> str:
        """A stage at which the victim was killed, or was to be, least often."""
        tries = {stage: self.kills[victim, stage] + self.missed[victim, stage] for stage in STAGES}
        return self.rng.choice([stage for stage in STAGES if tries[stage] == min(tries.values())])

    def _undisturbed(self, given: Input) -> dict[str, str]:
        """Hashes of the results of a job that nobody disturbs, but for what tells of time and job."""
        job = self.serve.wait_until_finished(self._submit(given))
        assert job["state"] == "succeeded", job["error"]
        return self._hashes(job["id"])

    def _submit(self, given: Input) -> str:
        """Submit as a client does that is told to come again."""
        options = {"bias_correction": str(given.bias_correction).lower()}

        def accepted() -> str | None:
            try:
                answer = self.serve.post("/v1/jobs", content=given.scan.read_bytes(), params=options)
            except httpx.TransportError:
                return None
            return str(answer.json()["id"]) if answer.status_code == httpx.codes.ACCEPTED else None

        return wait_for(accepted, "the scan is accepted", within_s=120)

    def _kill(self, victim: str, stage: str, ids: list[str], waiting: Iterator[Input]) -> None:
        """Kill a program when a job is at a stage, or as near to it as is seen in time."""
        word = next(word for word in VICTIMS[victim] if self._runs(word))
        seen, before = self._wait_for_stage(stage, ids, waiting)
        self.serve.kill(word)
        killed_at = time.monotonic()
        wait_for(lambda: self._has_moved(before), "the service works on", within_s=_RECOVERED_WITHIN_S)
        self.recoveries_s.append(time.monotonic() - killed_at)
        self.kills[victim, seen] += 1
        if seen != stage:
            self.missed[victim, stage] += 1

    def _runs(self, word: str) -> bool:
        return any(word in process.command for process in self.serve.processes())

    def _wait_for_stage(self, stage: str, ids: list[str], waiting: Iterator[Input]) -> tuple[str, Trace]:
        """Wait for a stage; the one that was seen last, and how far the jobs were then.

        They are looked at in one call: some stages are over in a tenth of a second.
        """
        deadline = time.monotonic() + _STAGE_WITHIN_S
        seen, jobs = "queued", self._unfinished(ids)
        while time.monotonic() < deadline:
            jobs = self._unfinished(ids)
            stages = [self._stage(job) for job in jobs]
            if stage in stages:
                return stage, _trace(jobs)
            seen = stages[0] if stages else seen
            if len(stages) < _LEAST_LEFT:  # else all may have ended when the program is killed
                ids.append(self._submit(next(waiting)))
            time.sleep(_LOOK_EVERY_S)
        return seen, _trace(jobs)

    @staticmethod
    def _stage(job: Document) -> str:
        return (job.get("progress") or {}).get("stage", "queued") if job["state"] == "running" else "queued"

    def _unfinished(self, ids: list[str]) -> list[Document]:
        """The jobs that have not ended, the oldest first; waits for an API that is not there."""

        def listed() -> list[list[Document]]:
            try:
                answer = self.http.get(
                    f"http://127.0.0.1:{self.serve.port}/v1/jobs?state=queued&state=running&limit=200"
                )
            except httpx.TransportError:
                return []
            return [answer.json()["jobs"]] if answer.status_code == httpx.codes.OK else []

        (jobs,) = wait_for(listed, "the jobs are listed", within_s=_RECOVERED_WITHIN_S)
        return [job for job in reversed(jobs) if job["id"] in ids]

    def _jobs(self, ids: Iterable[str]) -> list[Document]:
        """All jobs that the API tells of now, the oldest first."""
        found = [self.serve.job(job_id) for job_id in ids]
        return [job for job in found if job is not None]

    def _has_moved(self, before: Trace) -> bool:
        """Whether a job has been worked on since: it runs further, or has ended."""
        now = _trace(self._jobs(before))
        return len(now) == len(before) and any(
            now[job_id] != seen and now[job_id][0] in {"running", *FINISHED}
            for job_id, seen in before.items()
        )

    def _all_finished(self, ids: list[str]) -> list[Document] | None:
        jobs = self._jobs(ids)
        return jobs if len(jobs) == len(ids) and all(job["state"] in FINISHED for job in jobs) else None

    def _checked(self, job: Document, expected: dict[bool, dict[str, str]]) -> str:
        """How a job ended; fails if its results are not whole, or not those of one undisturbed run."""
        ends = [entry["state"] for entry in job["history"] if entry["state"] in FINISHED]
        assert ends == [job["state"]], job["history"]
        if job["state"] != "succeeded":
            return str(job["error"]["code"])
        self.serve.assert_one_whole_result(job)
        assert self._hashes(job["id"]) == expected[job["params"]["bias_correction"]]
        return "succeeded"

    def _hashes(self, job_id: str) -> dict[str, str]:
        results = self.serve.get(f"/v1/jobs/{job_id}/results").json()["results"]
        images = [artifact for artifact in results if artifact["name"].endswith((".nii.gz", ".png"))]
        return {
            artifact["name"]: hashlib.sha256(self.serve.get(artifact["href"]).content).hexdigest()
            for artifact in images
        }


def _trace(jobs: Iterable[Document]) -> Trace:
    """How far jobs are."""
    return {
        job["id"]: (job["state"], job["attempt"], (job.get("progress") or {}).get("fraction", 0.0))
        for job in jobs
    }


def kill_table(kills: Mapping[str, Mapping[str, int]]) -> str:
    """How often each program was killed at each stage, as Markdown.

    >>> print(kill_table({"API": {"queued": 2, "reading": 1}, "broker": {"queued": 0, "reading": 3}}), end="")
    | stage | API | broker | all |
    |---|---|---|---|
    | queued | 2 | 0 | 2 |
    | reading | 1 | 3 | 4 |
    | all | 3 | 3 | 6 |
    """
    victims = [*kills]
    stages = list(next(iter(kills.values())))
    rows = {stage: [kills[victim][stage] for victim in victims] for stage in stages}
    rows["all"] = [sum(kills[victim].values()) for victim in victims]
    lines = [f"| {' | '.join(map(str, (stage, *row, sum(row))))} |" for stage, row in rows.items()]
    head = [f"| stage | {' | '.join(victims)} | all |", "|---" * (len(victims) + 2) + "|"]
    return "\n".join([*head, *lines]) + "\n"
