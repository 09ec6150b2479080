"""A broker and an API beside which nothing else happens, for benchmarks of the API alone."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import redis

from cli.broker import answers, make_embedded_broker
from cli.stack import HOST, free_port
from disyre.adapters.broker import connect
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.job import Job
from disyre.job_id import new_job_id
from disyre.job_input import InputFile, JobInput
from disyre.job_model import JobModel
from disyre.job_params import JobParams

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class QuietApi:
    """Where it is."""

    port: int
    api: psutil.Process
    server: psutil.Process
    """The broker's."""
    broker: redis.Redis

    @property
    def url(self) -> str:
        """Of the API."""
        return f"http://{HOST}:{self.port}"

    def add_job(self) -> Job:
        """Put a job into the queue, the file of which is nowhere."""
        jobs = RedisJobStore(self.broker)
        now = jobs.now()
        file = InputFile(name="000001", format="nifti-gz", sha256="0" * 64, size_bytes=1)
        model = JobModel(name="t1w", version="1", sha256="0" * 64)
        one = JobInput(files=(file,))
        job = Job.submit(new_job_id(now), model=model, input=one, params=JobParams(), at=now)
        jobs.add(job)
        return job


def cpu_s(process: psutil.Process) -> float:
    """Processors' time of a process so far."""
    return float(sum(process.cpu_times()[:2]))


@contextmanager
def quiet_api(folder: Path, **settings: str) -> Iterator[QuietApi]:
    """Start both, with some settings, without a search for lost jobs beside them."""
    broker, port = make_embedded_broker(folder / "broker"), free_port()
    environment = {
        "DISYRE_BROKER_URL": broker.url,
        "DISYRE_DATA_DIR": str(folder / "data"),
        "DISYRE_MODELS_DIR": str(_ROOT / "models"),
        "DISYRE_LISTEN_PORT": str(port),
        "DISYRE_REAP_INTERVAL_S": "3600",
        **settings,
    }
    command = [sys.executable, "-m", "service"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        subprocess.Popen(broker.command, **quiet) as server,
        subprocess.Popen(command, env={**os.environ, **environment}, cwd=_ROOT, **quiet) as api,
        connect(broker.url, timeout_s=10) as client,
    ):
        try:
            started = QuietApi(port, psutil.Process(api.pid), psutil.Process(server.pid), client)
            while not (answers(broker.url) and _is_alive(started.url)):
                time.sleep(0.1)
            yield started
        finally:
            for process in (api, server):
                process.terminate()


def _is_alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez").status_code == 200
    except httpx.TransportError:
        return False
