"""The API on a real server and a free port, over stores that a test can look into."""

import hashlib
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from fastapi import FastAPI

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.clock_marks import InMemoryClockMarks
from disyre.adapters.expiry import InMemoryExpiry
from disyre.adapters.exports import Exports
from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.idempotency_keys import InMemoryIdempotencyKeys
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_events import InMemoryJobEvents, JobEvents
from disyre.adapters.job_store import JobStore
from disyre.adapters.owner_index import InMemoryOwnerIndex
from disyre.adapters.rate_limiter import InMemoryRateLimiter
from disyre.adapters.task_queue import InMemoryTaskQueue, TaskQueue
from disyre.adapters.worker_registry import InMemoryWorkerRegistry, WorkerInfo, WorkerRegistry
from disyre.job import Artifact, Job
from disyre.model_shelf import ModelShelf
from service.app import create_app
from service.audit import AuditLog
from service.backends import Backends
from service.held_series import HeldSeries
from service.openapi_summary import SHORT_SUMMARY, SUMMARY
from service.server import Server
from service.settings import ServiceSettings
from tests.documented import Contract
from tests.live import wait_for
from tests.toy_model import make_toy_model

PATIENCE_S = 10.0
SUMMARY_FILE: Final = json.dumps(SUMMARY["summary"]["value"]).encode()
"""A `summary.json`, as a worker writes it."""


def make_worker(worker_id: str = "worker-1", **facts: Any) -> WorkerInfo:
    """A worker that is ready."""
    now = datetime.now(UTC)
    times = {"started_at": now, "last_seen_at": now, "last_inference_at": now}
    known = {"id": worker_id, "provider": "CPUExecutionProvider", "models": ("t1w/1",), **times}
    return WorkerInfo.model_validate({**known, **facts})


@dataclass
class LiveApi:
    """A running API, a client for it, and what stands behind it."""

    client: httpx.Client
    root: Path
    jobs: InMemoryJobStore
    queue: InMemoryTaskQueue
    artifacts: FolderArtifactStore

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.client.base_url.host, self.client.base_url.port or 0

    def left_behind(self) -> list[str]:
        """Every file and folder below the root, but for those that are always there."""
        # Passes over what is removed meanwhile.
        found = (
            Path(folder) / n for folder, folders, files in os.walk(self.root) for n in (*folders, *files)
        )
        names = (str(path.relative_to(self.root)) for path in found)
        return sorted(name for name in names if name not in ("jobs", "incoming", "store-mark.json"))

    def holds_nothing(self) -> bool:
        """Whether there is no job, no message and no file."""
        return not (self.left_behind() or self.jobs.list(limit=1) or self.queue.job_ids)


@contextmanager
def live_api(
    tmp_path: Path,
    *,
    jobs: JobStore | None = None,
    queue: TaskQueue | None = None,
    workers: WorkerRegistry | None = None,
    events: JobEvents | None = None,
    files: ArtifactStore | None = None,
    exports: Exports | None = None,
    **settings: Any,
) -> Iterator[LiveApi]:
    """Run the API until the block ends. `settings` are those of the service.

    The client fails a test in which an answer is another than OpenAPI says.
    """
    root, models = tmp_path / "data", tmp_path / "models"
    if not models.exists():
        make_toy_model(models)
    memory, messages = InMemoryJobStore(), InMemoryTaskQueue()
    store = jobs or memory
    artifacts = FolderArtifactStore(root, records=store)
    backends = Backends(
        jobs=store,
        events=events or (store.events if isinstance(store, InMemoryJobStore) else InMemoryJobEvents()),
        owners=InMemoryOwnerIndex(),
        rates=InMemoryRateLimiter(),
        expiry=InMemoryExpiry(memory),
        exports=exports or (store if isinstance(store, InMemoryJobStore) else memory).exports,
        held=HeldSeries(
            tmp_path / "stow",
            max_bytes=settings.get("stow_max_bytes", 2**30),
            max_instances=settings.get("stow_max_instances", 1000),
            check_folder=(files or artifacts).check_folder,
        ),
        clock_marks=InMemoryClockMarks(),
        idempotency_keys=InMemoryIdempotencyKeys(jobs if isinstance(jobs, InMemoryJobStore) else memory),
        audit=AuditLog(tmp_path / "audit"),
        queue=queue or messages,
        artifacts=files or artifacts,
        models=ModelShelf(models),
        workers=workers or InMemoryWorkerRegistry(make_worker()),
    )
    app = create_app(backends, ServiceSettings(**{"min_free_bytes": 0, "reap_interval_s": 3600, **settings}))
    hooks = {"response": [_contract_of(app).check]}
    given: Any = {"timeout": PATIENCE_S, "event_hooks": hooks, "verify": _TRUST}
    with served(app) as url, httpx.Client(base_url=url, **given) as client:
        yield LiveApi(client, root, memory, messages, artifacts)


_TRUST: Final = ssl.create_default_context()
"""Shared by all clients, though none speaks TLS: to read the certificates takes 0.05 s."""
_contracts: Final[list[Contract]] = []
"""One, of the first app: all say the same, and it takes time to make."""


def _contract_of(app: FastAPI) -> Contract:
    if not _contracts:
        _contracts.append(Contract(app.openapi()))
    return _contracts[0]


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve an app on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(app)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_for(lambda: server.started or not thread.is_alive(), "the server has started")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


_MEDIA_TYPES: Final = {
    "gz": "application/gzip",
    "dcm": "application/dicom",
    "zip": "application/zip",
    "png": "image/png",
}


def succeed(api: LiveApi, job: Job, files: dict[str, bytes], store: ArtifactStore | None = None) -> Job:
    """Do what a worker does in the end: put the results of a running job into their place."""
    with (store or api.artifacts).attempt(job.id, job.attempt) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    artifacts = tuple(
        Artifact(
            name=name,
            kind=name.partition(".")[0],
            media_type=_MEDIA_TYPES.get(name.rpartition(".")[2], "application/json"),
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        for name, content in files.items()
    )
    return api.jobs.update(
        job.id,
        lambda job: job.succeed(
            attempt=job.attempt,
            artifacts=artifacts,
            summary={**SHORT_SUMMARY, "anomaly_score": 0.25},
            provider="CPUExecutionProvider",
            timings_s={"reading": 0.25, "restoring": 3.0, "total": 3.25},
            at=api.jobs.now(),
        ),
    )
