"""What the API stands on: the broker's records, the files, the models, the workers."""

from dataclasses import dataclass
from typing import Final, Self

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.artifact_stores import open_artifact_store
from disyre.adapters.broker import connect
from disyre.adapters.clock_marks import ClockMarks, RedisClockMarks
from disyre.adapters.expiry import Expiry, RedisExpiry
from disyre.adapters.exports import Exports, RedisExports
from disyre.adapters.idempotency_keys import IdempotencyKeys, RedisIdempotencyKeys
from disyre.adapters.job_events import JobEvents
from disyre.adapters.job_store import JobStore
from disyre.adapters.owner_index import OwnerIndex, RedisOwnerIndex
from disyre.adapters.rate_limiter import RateLimiter, RedisRateLimiter
from disyre.adapters.redis_job_events import RedisJobEvents
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.task_queue import CeleryTaskQueue, TaskQueue, make_celery
from disyre.adapters.worker_registry import RedisWorkerRegistry, WorkerRegistry
from disyre.model_shelf import ModelShelf
from service.audit import AuditLog
from service.held_series import HeldSeries
from service.settings import ServiceSettings

_BROKER_TIMEOUT_S: Final = 2.0
"""A client learns within about this time that the broker is away."""
_ARTIFACTS_TIMEOUT_S: Final = 5.0
"""And so long a bucket may be silent in the midst of an answer."""


@dataclass(frozen=True)
class Backends:
    """All of it."""

    jobs: JobStore
    events: JobEvents
    owners: OwnerIndex
    rates: RateLimiter
    idempotency_keys: IdempotencyKeys
    expiry: Expiry
    exports: Exports
    held: HeldSeries
    clock_marks: ClockMarks
    audit: AuditLog
    queue: TaskQueue
    artifacts: ArtifactStore
    models: ModelShelf
    workers: WorkerRegistry

    @classmethod
    def of(cls, settings: ServiceSettings) -> Self:
        """On a broker, and a folder or a bucket. Raises Misconfigured."""
        broker_url = settings.broker()
        client = connect(broker_url, timeout_s=_BROKER_TIMEOUT_S)
        celery = make_celery(
            broker_url, job_time_limit_s=settings.job_time_limit_s, timeout_s=_BROKER_TIMEOUT_S
        )
        jobs = RedisJobStore(client)
        artifacts = open_artifact_store(settings, timeout_s=_ARTIFACTS_TIMEOUT_S, records=jobs)
        return cls(
            jobs=jobs,
            events=RedisJobEvents(client),
            owners=RedisOwnerIndex(client),
            rates=RedisRateLimiter(client),
            idempotency_keys=RedisIdempotencyKeys(client),
            expiry=RedisExpiry(client),
            exports=RedisExports(client),
            held=HeldSeries(
                settings.data_dir / "stow",
                max_bytes=settings.stow_max_bytes,
                max_instances=settings.stow_max_instances,
                check_folder=artifacts.check_folder,
            ),
            clock_marks=RedisClockMarks(client),
            audit=AuditLog(settings.data_dir / "audit"),
            queue=CeleryTaskQueue(celery, client),
            artifacts=artifacts,
            models=ModelShelf(settings.models_dir),
            workers=RedisWorkerRegistry(client),
        )
