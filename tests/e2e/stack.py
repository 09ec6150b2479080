"""A stack that was started on the command line, and what the tests do with it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import nibabel as nib

from tests.builders import make_volume
from tests.live import ROOT, SeenProcess, descendants, free_port, wait_for

SCAN_SHAPE = (96, 96, 60)
LINE_START = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ [a-z_.]+: "
FINISHED = {"succeeded", "failed", "canceled"}
Document = dict[str, Any]


@dataclass
class ApiClient:
    """Calls an API on this machine, and looks into its folder."""

    data_dir: Path
    port: int

    def submit(self, model: str = "t1w") -> str:
        """Post a scan; the id of its job."""
        answer = self.post("/v1/jobs", files={"file": ("scan.nii.gz", scan_bytes())}, params={"model": model})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["id"])

    def post(self, path: str, **options: Any) -> httpx.Response:
        return httpx.post(f"http://127.0.0.1:{self.port}{path}", timeout=10, **options)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def job(self, job_id: str) -> Document | None:
        """A job's document, if the stack can answer now."""
        try:
            answer = self.get(f"/v1/jobs/{job_id}")
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == httpx.codes.OK else None

    def wait_until_restoring(self, job_id: str) -> None:
        def is_restoring() -> bool:
            job = self.job(job_id) or {}
            assert job.get("state") not in FINISHED
            return bool((job.get("progress") or {}).get("step"))

        wait_for(is_restoring, "the job is restoring")

    def wait_until_finished(self, job_id: str, *, within_s: float = 90) -> Document:
        def finished() -> Document | None:
            job = self.job(job_id)
            return job if job and job["state"] in FINISHED else None

        return wait_for(finished, "the job is finished", within_s=within_s)

    def assert_one_whole_result(self, job: Document, *, may_keep_scan: bool = False) -> None:
        """A job has succeeded, its results can be fetched, and no other attempt nor the scan is left."""
        assert job["state"] == "succeeded", job["error"]
        artifacts = self.get(f"/v1/jobs/{job['id']}/results").json()["results"]
        for artifact in artifacts:
            content = self.get(artifact["href"])
            assert (content.status_code, len(content.content)) == (httpx.codes.OK, artifact["size_bytes"])
        folder = self.data_dir / "jobs" / job["id"]
        passed_over = {"input"} if may_keep_scan else set()
        only = {f"attempt-{job['attempt']}"}  # the scan is removed right after that is stored
        wait_for(
            lambda: {path.name for path in folder.iterdir()} - passed_over == only, "no other file is left"
        )


@dataclass
class Serve(ApiClient):
    """A stack that was started on the command line."""

    models: Path
    environment: dict[str, str]
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "cli.main",
                "serve",
                "--port",
                str(self.port),
                "--data-dir",
                self.data_dir,
            ],
            env={
                **os.environ,
                "DISYRE_MODELS_DIR": str(self.models),
                "DISYRE_LEASE_S": "2",
                "DISYRE_REAP_INTERVAL_S": "0.5",
                "DISYRE_THREADS": "1",
                **self.environment,
            },
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_until_ready(self) -> str:
        """The line that says so."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it as its user would; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def processes(self) -> list[SeenProcess]:
        """All programs of the stack, and what they have started."""
        return descendants(self.process.pid)

    def odd_lines(self) -> list[str]:
        """Lines in the logs of API and worker that do not begin with a time and a level."""
        logs = (self.data_dir / "logs" / f"{name}.log" for name in ("api", "worker"))
        lines = [line for log in logs for line in log.read_text(encoding="utf-8").splitlines()]
        assert lines
        return [line for line in lines if not re.match(LINE_START, line)]

    def kill(self, word: str) -> None:
        """Kill the processes with a word in their command line."""
        victims = [process for process in self.processes() if word in process.command]
        assert victims, f"no process with {word}"
        for victim in victims:
            os.kill(victim.pid, signal.SIGKILL)


@contextmanager
def serving(data_dir: Path, models: Path, *, port: int | None = None, **environment: str) -> Iterator[Serve]:
    serve = Serve(data_dir, port or free_port(), models, environment)
    with serve.process:  # closes its pipes
        try:
            yield serve
        finally:
            serve.process.kill()


def scan_bytes() -> bytes:
    image = make_volume(SCAN_SHAPE)
    return nib.Nifti1Image(image.voxels, image.affine).to_bytes()
