"""The composition root of the worker: the Celery application, and what the process that runs jobs holds.

Celery's parent process receives messages and looks after one child. The child is a fresh interpreter: it
imports this module, makes its inference session, proves that it works, and only then takes jobs.
"""

import logging
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

from celery import Celery, Task, shared_task
from celery.app.task import Context
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import setup_logging, worker_process_init, worker_process_shutdown

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.artifact_stores import open_artifact_store
from disyre.adapters.broker import connect
from disyre.adapters.job_store import JobStore
from disyre.adapters.library_messages import silence_libraries
from disyre.adapters.log_lines import log_about
from disyre.adapters.queue_names import name_of_queue
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.settings import EX_CONFIG, read_settings
from disyre.adapters.task_queue import TASK_NAME, CeleryTaskQueue, make_celery
from disyre.adapters.worker_registry import RedisWorkerRegistry
from disyre.errors import DisyreError, TimedOut
from disyre.job import Job
from disyre.progress import OnProgress
from worker.assembly import make_holdings, make_restorers, make_scorer
from worker.heartbeat import Heartbeat
from worker.log import ids_of, write_worker_log
from worker.settings import WorkerSettings
from worker.steps import StopRequest
from worker.tasks import JobRunner, OnChoice, OnScan, Outcome, Score

logger = logging.getLogger(__name__)

STOP_CHILD: Final = signal.SIGUSR2
"""Tells the child that its parent shuts down."""
CHILD_REFUSES: Final = signal.SIGUSR2
"""Tells the parent that its child cannot start, and no other child could."""

_BROKER_TIMEOUT_S: Final = 10.0
_ARTIFACTS_TIMEOUT_S: Final = 20.0
_ARTIFACTS_PATIENCE_S: Final = 120.0
"""So long a job waits for a folder or bucket that is away, but for no more than half of the time that it has;
then it goes back to the queue."""


def make_app(settings: WorkerSettings) -> Celery:
    """The Celery application of a worker. Connects to nothing."""
    app = make_celery(settings.broker(), job_time_limit_s=settings.job_time_limit_s)
    app.conf.update(
        include=(__name__,),  # what a child imports
        worker_redirect_stdouts=False,
    )
    return app


@dataclass(frozen=True)
class Child:
    """What the process that runs jobs holds."""

    runner: JobRunner
    heartbeat: Heartbeat
    stop: StopRequest


def open_artifacts(settings: WorkerSettings, jobs: JobStore) -> ArtifactStore:
    """Where scans of jobs are and results go, for a worker. Raises Misconfigured."""
    return open_artifact_store(
        settings,
        timeout_s=_ARTIFACTS_TIMEOUT_S,
        patience_s=min(_ARTIFACTS_PATIENCE_S, settings.job_time_limit_s / 2),
        records=jobs,
    )


def make_child(settings: WorkerSettings) -> Child:
    """Load the default model, or another one that the worker is for, and put all parts together.

    Raises UnknownModel, or Misconfigured if the model or the device cannot be used.
    """
    client = connect(settings.broker(), timeout_s=_BROKER_TIMEOUT_S)
    jobs = RedisJobStore(client)
    artifacts = open_artifacts(settings, jobs)
    artifacts.prepare()
    holdings = make_holdings(settings)
    restorers = make_restorers(settings, holdings)
    first = settings.default_model
    tried = restorers.newest(first if holdings.may_hold(first) else holdings.names()[0])
    registry = RedisWorkerRegistry(client)
    heartbeat = Heartbeat(registry, holdings, restorers, tried, on_dead=_die)
    scorer = replace(
        make_scorer(settings, holdings, restorers, artifacts.input_file, registry.workers),
        fetch=lambda job, on_step: artifacts.fetch(job.id, job.input, on_step=on_step),
    )
    stop = StopRequest(grace_s=settings.shutdown_grace_s)
    runner = JobRunner(
        jobs,
        artifacts,
        _in_time(scorer),
        stop,
        lease_s=settings.lease_s,
        time_limit_s=settings.job_time_limit_s,
        holds=restorers.hold,
        queue=CeleryTaskQueue(make_app(settings), client),
    )
    return Child(runner, heartbeat, stop)


@cache
def this_child() -> Child:
    """The parts of this process, made on the first call."""
    return make_child(read_settings(WorkerSettings))


@shared_task(name=TASK_NAME, bind=True)
def run_job(task: "Task[Any, Any]", job_id: str) -> None:
    """Run one job; each line of its log names the request that made it, as the message does."""
    child = this_child()
    with log_about(**ids_of(task.request)), child.heartbeat.busy(job_id):
        child.runner.run_job(job_id, queue=_queue_of(task.request))


def _queue_of(message: Context) -> str:
    """The name of the queue that delivered a message."""
    delivery: Mapping[str, Any] = message.delivery_info or {}
    return name_of_queue(str(delivery.get("routing_key", "")))


@setup_logging.connect
def _log(**_: object) -> None:
    """Write the log, in Celery's parent and in its child; Celery then sets up none."""
    write_worker_log()


@worker_process_init.connect
def _start(**_: object) -> None:
    """Make the parts of this process; a process that cannot is the end of the worker."""
    silence_libraries()
    try:
        child = this_child()
    except DisyreError as error:
        _refuse(str(error))
    except Exception as error:
        logger.exception("the worker cannot start")
        _refuse(f"{type(error).__name__}: {error}")
    signal.signal(STOP_CHILD, lambda *_: child.stop.request())
    child.heartbeat.start()
    worker = child.heartbeat.describe()
    logger.info("ready: %s on %s", ", ".join(worker.models), worker.provider)


@worker_process_shutdown.connect
def _end(**_: object) -> None:
    """Leave the registry."""
    if this_child.cache_info().currsize:
        this_child().heartbeat.stop()


def _in_time(score: Score) -> Score:
    """The same, with Celery's word for a job that takes too long put into ours."""

    def limited(
        job: Job,
        folder: Path,
        on_progress: OnProgress,
        on_choice: OnChoice,
        on_scan: OnScan,
    ) -> Outcome:
        try:
            return score(job, folder, on_progress, on_choice, on_scan)
        except SoftTimeLimitExceeded as error:
            raise TimedOut("the job took longer than a job may") from error

    return limited


def _refuse(reason: str) -> NoReturn:
    """Say why this worker cannot start, and have the parent exit too, instead of trying again for ever."""
    sys.stderr.write(f"disyre worker: cannot start: {' '.join(reason.split())}\n")
    sys.stderr.flush()
    os.kill(os.getppid(), CHILD_REFUSES)
    os._exit(EX_CONFIG)


def _die(error: Exception) -> None:
    """The network no longer works: make room for a new process."""
    logger.critical("the network no longer works: %s", type(error).__name__)
    os._exit(1)
