"""The composition root of the API: makes the parts, and puts them together."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final, TypeAlias

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from disyre import INTENDED_USE, __version__
from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.artifact_stores import open_artifact_store
from disyre.adapters.broker import connect
from disyre.adapters.expiry import Expiry, RedisExpiry
from disyre.adapters.idempotency_keys import IdempotencyKeys, RedisIdempotencyKeys
from disyre.adapters.job_events import JobEvents
from disyre.adapters.job_store import JobStore
from disyre.adapters.owner_index import OwnerIndex, RedisOwnerIndex
from disyre.adapters.rate_limiter import RateLimiter, RedisRateLimiter
from disyre.adapters.redis_job_events import RedisJobEvents
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.task_queue import CeleryTaskQueue, TaskQueue, make_celery
from disyre.adapters.worker_registry import RedisWorkerRegistry, WorkerRegistry
from disyre.errors import Misconfigured, Unavailable
from disyre.model_package import ModelShelf
from service.audit import Audited, AuditLog
from service.caller import NOBODY
from service.caretaker import Caretaker
from service.dependencies import Parts
from service.disk_room import DiskRoom
from service.drain import Drain
from service.egress import Hosts
from service.event_hub import EventHub
from service.guard import GUARDED, Guard
from service.limiters import Limiters
from service.metrics import Metrics
from service.middleware import Edge
from service.offers import OfferedModels, Offers
from service.once import Once
from service.openapi import GUARD_ERRORS, DocumentedApi, problems
from service.orphans import Orphans
from service.own_jobs import OwnJobs
from service.postman import Postman
from service.problems import handle_problems
from service.query import KNOWN_PARAMETERS
from service.reaper import Reaper
from service.reference import serve_reference
from service.retention import Retention
from service.routes import events as event_routes
from service.routes import health, inspect, jobs, models, queue, results, studies
from service.settings import ServiceSettings
from service.submission import Submission
from service.waiting_line import QueueWatch
from service.webhooks import read_secrets
from service.withdrawals import Withdrawals

logger = logging.getLogger(__name__)

_BROKER_TIMEOUT_S: Final = 2.0
"""A client learns within about this time that the broker is away."""
_ARTIFACTS_TIMEOUT_S: Final = 5.0
"""And so long a bucket may be silent in the midst of an answer."""
_DESCRIPTION: Final = (
    f"Anomaly maps of brain MRI by diffusion-inspired synthetic restoration.\n\n**{INTENDED_USE}**"
)


def create_app(
    *,
    jobs: JobStore,
    events: JobEvents,
    owners: OwnerIndex,
    rates: RateLimiter,
    idempotency_keys: IdempotencyKeys,
    expiry: Expiry,
    audit: AuditLog,
    queue: TaskQueue,
    artifacts: ArtifactStore,
    models: ModelShelf,
    workers: WorkerRegistry,
    settings: ServiceSettings,
) -> FastAPI:
    """The API over the parts that it is given.

    Raises Misconfigured if it asked for no keys where others can reach it, or if there is none.
    """
    models = OfferedModels(models.folder, Offers(workers))
    withdrawals = Withdrawals(jobs, artifacts)
    drain = Drain()
    hub = EventHub(events, drain)
    caretaker = Caretaker(
        Reaper(jobs, queue),
        withdrawals,
        Orphans(jobs, artifacts),
        Retention(
            jobs,
            expiry,
            owners,
            artifacts,
            tombstone_s=settings.tombstone_s,
            on_expired=lambda job_id: audit.note("expire_job", job_id=job_id),
        ),
        artifacts,
        upload_timeout_s=settings.upload_timeout_s,
    )
    postman = _postman(jobs, settings)
    app = DocumentedApi(
        title="DISYRE",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan(caretaker, postman, artifacts, hub, settings),
        # What it tells holds queries, and the text of exceptions.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.guard = Guard.of(settings, rates, lambda what, name: audit.note(what, key=name))
    app.state.parts = Parts(
        jobs=OwnJobs(jobs, owners, NOBODY),
        artifacts=artifacts,
        models=models,
        workers=workers,
        queue=QueueWatch(jobs, workers),
        submission=Submission(
            jobs,
            queue,
            artifacts,
            models,
            withdrawals,
            settings.max_voxels,
            settings.max_queued_jobs,
            owners,
            postman.hosts if postman else None,
            max_queued_voxels=settings.max_queued_voxels,
            retention_s=settings.retention_s,
        ),
        settings=settings,
        metrics=Metrics(),
        limiters=Limiters(),
        drain=drain,
        events=events,
        hub=hub,
        once=Once(idempotency_keys),
        room=DiskRoom(artifacts.free_bytes, settings.min_free_bytes),
    )
    app.add_middleware(Audited, log=audit)
    app.add_middleware(Edge)
    handle_problems(app)
    app.add_exception_handler(event_routes.NothingMore, event_routes.answer_nothing_more)
    serve_reference(app)
    for router in _ROUTERS:
        app.include_router(
            router, dependencies=[GUARDED, KNOWN_PARAMETERS], responses=problems(*GUARD_ERRORS)
        )
    app.include_router(health.router)  # machines that ask may add what they like
    return app


_ROUTERS: Final = (
    *(jobs.router, event_routes.router, studies.router, inspect.router, results.router),
    *(models.router, queue.router),
)


def production_app(settings: ServiceSettings) -> FastAPI:
    """The API on a broker, and a folder or a bucket. Raises Misconfigured."""
    broker_url = settings.broker()
    client = connect(broker_url, timeout_s=_BROKER_TIMEOUT_S)
    celery = make_celery(broker_url, job_time_limit_s=settings.job_time_limit_s, timeout_s=_BROKER_TIMEOUT_S)
    return create_app(
        jobs=RedisJobStore(client),
        events=RedisJobEvents(client),
        owners=RedisOwnerIndex(client),
        rates=RedisRateLimiter(client),
        idempotency_keys=RedisIdempotencyKeys(client),
        expiry=RedisExpiry(client),
        audit=AuditLog(settings.data_dir / "audit"),
        queue=CeleryTaskQueue(celery, client),
        artifacts=open_artifact_store(settings, timeout_s=_ARTIFACTS_TIMEOUT_S),
        models=ModelShelf(settings.models_dir),
        workers=RedisWorkerRegistry(client),
        settings=settings,
    )


def _postman(jobs: JobStore, settings: ServiceSettings) -> Postman | None:
    """Who calls at the end of jobs; None if nobody may be called. Raises Misconfigured."""
    if not settings.webhook_hosts:
        return None
    if settings.webhook_secret_file is None:
        raise Misconfigured(
            "expected DISYRE_WEBHOOK_SECRET_FILE to be set together with DISYRE_WEBHOOK_HOSTS"
        )
    return Postman(jobs, Hosts.read(settings.webhook_hosts), read_secrets(settings.webhook_secret_file))


Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def _lifespan(
    caretaker: Caretaker,
    postman: Postman | None,
    artifacts: ArtifactStore,
    hub: EventHub,
    settings: ServiceSettings,
) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        artifacts.prepare()
        await run_in_threadpool(caretaker.sweep)
        works = [caretaker.take_care, *([postman.deliver] if postman else [])]
        tasks = [asyncio.create_task(_repeat(work, settings.reap_interval_s)) for work in works]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await hub.stop()

    return lifespan


async def _repeat(take_care: Callable[[], None], every_s: float) -> None:
    """Do a work now and then as long as the app lives."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await run_in_threadpool(take_care)
        except Unavailable:
            logger.warning("the broker is away: lost jobs are not looked for, and nobody is called")
        except Exception:
            logger.exception("what is done every few seconds failed")
