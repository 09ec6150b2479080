"""A version of before and the one of now side by side, with jobs under way: nothing is lost on the way."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

from disyre.adapters.queue_names import lists_of, queue_name
from disyre.adapters.task_queue import TASK_NAME, make_celery
from tests.drills.program import Program
from tests.drills.site import Api, Site, since
from tests.live import ROOT
from tests.toy_model import SLOW_MODEL

_N_QUICK: Final = 4
_MOST_BROKEN: Final = 20
_FIELDS: Final = (
    "import json; from disyre.model_package import ModelManifest as Known; "
    "print(json.dumps([*Known.model_fields]))"
)
"""Tells what a version knows of a model package."""
_LATER_TASK: Final = f"{TASK_NAME}.of-a-later-version"


@dataclass
class Versions:
    """A newer worker comes to an older API, then a newer API to an older worker."""

    site: Site
    n_commits: int
    """So far back is the older version, or the next before that whose programs can start."""

    def run(self) -> dict[str, Any]:
        """Figures. Fails if a job is lost, or has two ends."""
        commit, n_commits, before = self._unpacked_before()
        self.site.may_keep_scans = True  # of a version that left them, the sweep removes them later
        self._take_models_of(before)
        old_api = self.site.add_api(before)
        old_worker = self.site.add_worker("old-worker", before)
        running, new_worker = self._replace_worker(old_api, old_worker)
        jobs = self.site.check_all(old_api)
        attempt = next(job["attempt"] for job in jobs if job["id"] == running)
        by_new_worker = _n_done(new_worker)
        new_api = self._replace_api(old_api)
        crossed = self._kill_old_worker(new_api, new_worker, before)
        told_s = self._message_of_later(new_api, before)
        jobs = self.site.check_all(new_api)
        return {
            "the older version": f"{commit[:7]}, {n_commits} commits back",
            "attempts at the job that ran as the older worker was told to end": attempt,
            "jobs of the older API that the newer worker did": by_new_worker,
            "attempts at the job whose older worker was killed": crossed,
            "a job whose message the older worker did not understand: done after, s": told_s,
            "jobs in all, each with one end": len(jobs),
        }

    def _unpacked_before(self) -> tuple[str, int, Path]:
        """The older version, how far back it is, and where."""
        for n_commits in range(self.n_commits, self.n_commits + _MOST_BROKEN):
            commit = _commit_before(n_commits)
            folder = _unpacked(commit, self.site.folder / f"before-{n_commits}")
            if _can_start(folder):
                return commit, n_commits, folder
        raise AssertionError(f"none of {_MOST_BROKEN} versions from {self.n_commits} commits back can start")

    def _take_models_of(self, before: Path) -> None:
        """Packages with later fields are none to an earlier version: programs go first, then packages."""
        told = subprocess.run([sys.executable, "-c", _FIELDS], cwd=before, capture_output=True, check=True)
        known = json.loads(told.stdout)
        for file in self.site.models.glob("*/*/model.json"):
            manifest = json.loads(file.read_bytes())
            file.write_text(json.dumps({name: manifest[name] for name in manifest if name in known}))

    def _replace_worker(self, api: Api, old: Program) -> tuple[str, Program]:
        """An older API, with jobs under way, gets a newer worker instead of its own."""
        running = self.site.submit(api, SLOW_MODEL)
        api.wait_until_restoring(running)
        for _ in range(_N_QUICK):
            self.site.submit(api)
        new = self.site.begin_worker("new-worker")
        assert old.stop(within_s=120) == 0, "the older worker ended as it was told"
        return running, new

    def _replace_api(self, old: Api) -> Api:
        """A newer API beside the older one: each shows the jobs of the other; then the older one goes."""
        new = self.site.add_api()
        for maker, other in ((old, new), (new, old)):
            job_id = self.site.submit(maker)
            seen = other.wait_until_finished(job_id)
            assert seen["state"] == "succeeded", seen["error"]
        waiting = [self.site.submit(old) for _ in range(_N_QUICK)]
        old.program.stop()
        assert all(new.job(job_id) for job_id in waiting)
        return new

    def _kill_old_worker(self, api: Api, new: Program, before: Path) -> int:
        """A newer API has a job with an older worker, which is killed: a newer one takes it over."""
        self.site.check_all(api)
        assert new.stop(within_s=120) == 0
        old = self.site.add_worker("older-worker", before)
        job_id = self.site.submit(api, SLOW_MODEL)
        api.wait_until_restoring(job_id)
        old.kill()
        worker = self.site.add_worker("newer-worker")
        self.site.check_all(api)
        assert worker.stop(within_s=120) == 0
        job = api.job(job_id)
        assert job is not None
        return int(job["attempt"])

    def _message_of_later(self, api: Api, before: Path) -> float:
        """A job the message of which only a later version understands: it is sent again, and not lost."""
        job_id = self.site.submit(api)
        queue = queue_name("t1w")
        self.site.client.delete(*lists_of(queue))
        celery = make_celery(self.site.embedded.url, job_time_limit_s=60)
        celery.send_task(_LATER_TASK, args=[job_id], kwargs={"schema": 99}, queue=queue)
        begun = time.monotonic()
        old = self.site.add_worker("old-again", before)
        self.site.check_all(api)
        assert _LATER_TASK in old.text(), "the message was seen"
        return since(begun)


def _commit_before(n_commits: int) -> str:
    """A commit of this checkout so far back; skips where there is none."""
    command = ["git", "rev-parse", "--verify", "--quiet", f"HEAD~{n_commits}"]
    git = shutil.which("git")
    found = git and subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if not found or found.returncode:
        pytest.skip(f"expected a checkout with {n_commits} commits before the last one, got none")
    return found.stdout.strip()


def _can_start(folder: Path) -> bool:
    """Whether a version's programs can be imported; in the midst of a change to them they could not be."""
    program = "import service.app, worker.app"
    run = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, check=False)
    return run.returncode == 0


def _unpacked(commit: str, folder: Path) -> Path:
    """The code of a commit in a folder."""
    packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _n_done(worker: Program) -> int:
    return len(re.findall("now succeeded", worker.text()))
