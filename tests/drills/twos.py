"""Two APIs and two workers on one broker and folder: whoever is killed or hangs, each job is done once."""

import re
import signal
import time
from dataclasses import dataclass
from typing import Any, Final

from tests.drills.program import Program
from tests.drills.site import Api, Site, since
from tests.live import wait_for
from tests.toy_model import SLOW_MODEL

_LEASE_S: Final = 15.0
_TAKEN_OVER_WITHIN_S: Final = 30.0


@dataclass
class Twos:
    """Work for both, then one of each is killed, then a worker hangs and comes back."""

    site: Site
    n_jobs: int

    def run(self) -> dict[str, Any]:
        """Figures. Fails if a job was lost, done twice, or not taken over."""
        apis = [self.site.add_api(), self.site.add_api()]
        workers = [self.site.add_worker(f"worker-{n}") for n in (1, 2)]
        figures: dict[str, Any] = {}
        for n in range(self.n_jobs):
            self.site.submit(apis[n % 2])
        jobs = self.site.check_all(apis[0])
        assert all(job["attempt"] == 1 for job in jobs)
        figures["jobs, each done once"] = len(jobs)
        figures["done by each worker"] = [_n_done(worker) for worker in workers]
        assert min(figures["done by each worker"]) > 0
        figures["a killed worker's job runs again after, s"] = self._kill_a_worker(apis)
        self.site.add_worker("worker-3")
        figures["a hung worker's job runs again after, s"] = self._hang_a_worker(apis)
        figures["the other API answers after one was killed, s"] = self._kill_an_api(apis)
        figures["jobs in all, each with one end"] = len(self.site.check_all(apis[1]))
        return figures

    def _kill_a_worker(self, apis: list[Api]) -> float:
        """Kill the worker that is at a job: the other one takes it over."""
        job_id = self.site.submit(apis[0], SLOW_MODEL)
        apis[1].wait_until_restoring(job_id)
        victim = self.site.worker_at(job_id)
        begun = time.monotonic()
        victim.kill()
        self._wait_for_attempt(apis[1], job_id, 2)
        took_s = since(begun)
        self.site.check_all(apis[1])
        return took_s

    def _hang_a_worker(self, apis: list[Api]) -> float:
        """Freeze a worker until another has its job, then let it go on: it must not disturb the other."""
        job_id = self.site.submit(apis[0], SLOW_MODEL)
        apis[1].wait_until_restoring(job_id)
        victim = self.site.worker_at(job_id)
        begun = time.monotonic()
        victim.signal(signal.SIGSTOP)
        self._wait_for_attempt(apis[1], job_id, 2)
        took_s = since(begun)
        victim.signal(signal.SIGCONT)
        wait_for(lambda: "went on without this worker" in victim.text(), "the hung one gives up", within_s=60)
        job = next(job for job in self.site.check_all(apis[1]) if job["id"] == job_id)
        assert job["attempt"] == 2, job["history"]
        return took_s

    def _kill_an_api(self, apis: list[Api]) -> float:
        """Kill an API while jobs wait that it took: the other goes on, with jobs of both."""
        for _ in range(4):
            self.site.submit(apis[0])
        apis[0].program.kill()
        begun = time.monotonic()
        self.site.submit(apis[1])
        return since(begun)

    @staticmethod
    def _wait_for_attempt(api: Api, job_id: str, attempt: int) -> None:
        def runs() -> bool:
            job = api.job(job_id) or {}
            return bool(job.get("state") == "running" and job["attempt"] == attempt)

        wait_for(runs, f"attempt {attempt} runs", within_s=_TAKEN_OVER_WITHIN_S + _LEASE_S)


def _n_done(worker: Program) -> int:
    return len(re.findall("now succeeded", worker.text()))
