"""Disks run full, of uploads, of results and of the broker's append-only file; and the broker's memory."""

import ctypes
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.drills.site import Api, Site, since
from tests.e2e.stack import FINISHED
from tests.live import wait_for
from tests.toy_model import SLOW_MODEL

_CLONE_NEWNS: Final = 0x20000
_DATA_MIB: Final = 48
_BROKER_MIB: Final = 4
_N_PIECES: Final = 64
_STARTED: Final = "Ready to accept connections"
"""In the broker's log."""
_BACK_WITHIN_S: Final = 90.0


@dataclass
class Disks:
    """Each disk is a small one in memory that only the drill sees."""

    site: Site
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Figures. Fails if something half was left, or work does not go on when there is room."""
        _see_own_mounts()
        self.site.broker.stop()
        self.site.programs.remove(self.site.broker)
        with _small_disk(self.site.data_dir, _DATA_MIB), _small_disk(self.site.embedded.folder, _BROKER_MIB):
            self.site.start_broker()
            try:
                self._fill_all()
            finally:
                self.site.close()
        return self.figures

    def _fill_all(self) -> None:
        with self.site.kept_up():
            api = self.site.add_api(DISYRE_MIN_FREE_BYTES="1")
            self.site.add_worker()
            self.site.submit(api)
            self.site.check_all(api)
            self._fill_uploads(api)
            self._fill_results(api)
            self._fill_broker(api)
            self._fill_memory(api)
            self.figures["jobs, each done once"] = len(self.site.check_all(api))

    def _fill_uploads(self, api: Api) -> None:
        """Uploads of which nobody knew how long they are, and those of which one did."""
        with _filled(self.site.data_dir, leave_bytes=len(self.site.scan) // 2):
            surprised = api.post("/v1/jobs", content=self._pieces(), params={"model": "t1w"})
            foreseen = self.site.post(api)
            polled = api.get(f"/v1/jobs/{self.site.accepted[0]}")
        for answer in (surprised, foreseen):
            assert answer.status_code == httpx.codes.INSUFFICIENT_STORAGE, answer.text
        assert polled.is_success
        self.site.submit(api)
        self.site.check_all(api)
        self.figures["uploads"] = {
            "POST without a length": surprised.status_code,
            "POST with a length": foreseen.status_code,
            "GET": polled.status_code,
            "with room again, POST": httpx.codes.ACCEPTED.value,
        }

    def _pieces(self) -> Iterator[bytes]:
        size = -(-len(self.site.scan) // _N_PIECES)
        yield from (self.site.scan[n : n + size] for n in range(0, len(self.site.scan), size))

    def _fill_results(self, api: Api) -> None:
        """The disk runs full while a job is restored: it fails with that reason, and a retry succeeds."""
        job_id = self.site.submit(api, SLOW_MODEL)
        api.wait_until_restoring(job_id)
        begun = time.monotonic()
        with _filled(self.site.data_dir, leave_bytes=0):
            job = wait_for(lambda: _ended(api, job_id), "the job has ended", within_s=300)
            ready = api.get("/readyz").json()["checks"]["disk"]
        assert (job["state"], job["error"]["code"]) == ("failed", "storage-full"), job["error"]
        left = [path.name for path in (self.site.data_dir / "jobs" / job_id).iterdir()]
        assert left == ["input"], left
        assert not ready
        self.figures["results"] = {
            "job": f"failed, {job['error']['code']}",
            "attempts": job["attempt"],
            "after, s": since(begun),
            "left of them": "nothing",
        }
        assert api.post(f"/v1/jobs/{job_id}/retry").is_success
        wait_for(
            lambda: (api.job(job_id) or {}).get("state") == "succeeded", "a retry succeeds", within_s=120
        )
        assert api.get(f"/v1/jobs/{job_id}").json()["attempt"] == job["attempt"] + 1
        self.site.delete(api, job_id)  # its history has two ends
        self.figures["results"]["with room again, retried"] = "succeeded"

    def _fill_broker(self, api: Api) -> None:
        """The broker's disk runs full, at which it ends; its supervisor starts it until there is room."""
        running = self.site.submit(api, SLOW_MODEL)
        api.wait_until_restoring(running)
        answers = []
        n_started = self.site.broker.text().count(_STARTED)
        with _filled(self.site.embedded.folder, leave_bytes=0):
            begun = time.monotonic()
            while time.monotonic() - begun < 20:
                answers.append(self.site.post(api).status_code)
                time.sleep(0.5)
        refused = answers.count(httpx.codes.SERVICE_UNAVAILABLE)
        assert refused, answers
        assert set(answers) <= {httpx.codes.ACCEPTED, httpx.codes.SERVICE_UNAVAILABLE}, answers
        begun = time.monotonic()
        wait_for(lambda: self.site.post(api).is_success, "a scan is accepted", within_s=_BACK_WITHIN_S)
        took_s = since(begun)
        jobs = {job["id"]: job for job in self.site.check_all(api)}
        self.figures["append-only file"] = {
            "the broker ended, times": self.site.broker.text().count(_STARTED) - n_started,
            "POST 202": answers.count(httpx.codes.ACCEPTED),
            "POST 503": refused,
            "with room again, POST 202 after, s": took_s,
            "attempts at the job that ran": jobs[running]["attempt"],
        }

    def _fill_memory(self, api: Api) -> None:
        """The broker may not take more memory: it takes no job, and tells of those that it has."""
        self.site.client.config_set("maxmemory", "1mb")
        try:
            refused = self.site.post(api)
            polled = api.get(f"/v1/jobs/{self.site.accepted[0]}")
        finally:
            self.site.client.config_set("maxmemory", "0")
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE, refused.text
        assert polled.is_success, polled.text
        self.site.submit(api)
        self.site.check_all(api)
        self.figures["broker's memory"] = {"POST": refused.status_code, "GET": polled.status_code}


def _ended(api: Api, job_id: str) -> dict[str, Any] | None:
    job = api.job(job_id)
    return job if job and job["state"] in FINISHED else None


def _see_own_mounts() -> None:
    """From here on, what this process mounts is seen by it and its children. Skips where that may not be."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS):
        pytest.skip(f"no mounts of one's own here: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


@contextmanager
def _small_disk(folder: Path, size_mib: int) -> Iterator[None]:
    """A disk at a folder, for the length of a block. Skips where none may be mounted."""
    size = f"size={size_mib}m,mode=700"
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "disk", folder], check=False)
    if mount.returncode:
        pytest.skip("no disks can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def _filled(folder: Path, *, leave_bytes: int) -> Iterator[None]:
    """A disk that is full but for some bytes, for the length of a block."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        disk = os.statvfs(folder)
        n_bytes = disk.f_bavail * disk.f_frsize - leave_bytes
        os.posix_fallocate(file.fileno(), 0, n_bytes)
    try:
        yield
    finally:
        filler.unlink()
