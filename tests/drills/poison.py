"""An input that kills whatever reads it, one that is gone, and a message that no worker can read."""

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import nibabel as nib
import pytest

from disyre.adapters.queue_names import QUEUE_NAME
from disyre.job import MAX_LOSSES, WORKER_LOST
from tests.builders import make_volume
from tests.drills.site import Api, Site, since

_WORDS: Final = b"deadly to whoever reads this"
_SOURCE: Final = Path(__file__).with_name("deadly_input.c")
_ENDS_WITHIN_S: Final = 180.0


@dataclass
class Poison:
    """A reader that dies of some inputs: one is sent, others stand behind it."""

    site: Site

    def run(self) -> dict[str, Any]:
        """Figures. Fails if the input does not end as `worker-lost`, or another job is harmed."""
        with self.site.kept_up():
            api = self.site.add_api()
            robbed = self._submit_without_files(api)
            worker = self.site.add_worker("worker", LD_PRELOAD=str(self._library()))
            job = self._end_of(api, robbed)
            assert (job["state"], job["error"]["code"]) == ("failed", "artifact-not-found"), job["error"]
            assert job["attempt"] == 1, job["history"]
            begun = time.monotonic()
            poisoned = self._submit_poison(api)
            behind = [self.site.submit(api) for _ in range(2)]
            job = self._end_of(api, poisoned)
            took_s = since(begun)
            assert (job["state"], job["error"]["code"]) == ("failed", WORKER_LOST), job["error"]
            assert job["attempt"] == MAX_LOSSES, job["history"]
            pid = worker.process.pid
            self.site.check_all(api)
            next_s = since(begun)
            assert worker.process.pid == pid, "the worker itself has lived on"
            return {
                "attempts at it": job["attempt"],
                "its end": f"{job['state']}, {job['error']['code']}",
                "after, s": took_s,
                "jobs behind it": len(behind),
                "all done after, s": next_s,
                "a job whose files are gone": "failed, artifact-not-found, 1 attempt",
                "a message that is no JSON": self._send_nonsense(api),
            }

    def _library(self) -> Path:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("expected a C compiler, found none")
        library = self.site.folder / "deadly_input.so"
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        return library

    def _submit_poison(self, api: Api) -> str:
        """Not among the jobs that are to succeed."""
        volume = make_volume((96, 96, 60))
        image = nib.Nifti1Image(volume.voxels, volume.affine)
        image.header["descrip"] = _WORDS
        answer = api.post("/v1/jobs", content=image.to_bytes(), params={"model": "t1w"})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["id"])

    def _submit_without_files(self, api: Api) -> str:
        """A job whose scan is not there any more, as after a backup of the broker alone."""
        job_id = self.site.submit(api)
        shutil.rmtree(self.site.data_dir / "jobs" / job_id)
        return job_id

    def _end_of(self, api: Api, job_id: str) -> dict[str, Any]:
        job = api.wait_until_finished(job_id, within_s=_ENDS_WITHIN_S)
        self.site.delete(api, job_id)
        return job

    def _send_nonsense(self, api: Api) -> str:
        """It ends Celery's worker, which its supervisor starts again; no job is lost with it."""
        self.site.client.lpush(QUEUE_NAME, "not json")
        begun = time.monotonic()
        self.site.submit(api)
        self.site.check_all(api)
        return f"the next job is done after {since(begun)} s"
