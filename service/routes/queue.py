"""The queue, and who works on it."""

from fastapi import APIRouter

from disyre import errors
from disyre.adapters.worker_registry import WorkerInfo
from service.dependencies import GivenParts, Parts
from service.errors import InvalidRequest
from service.openapi import problems
from service.state_schemas import QueueView

router = APIRouter(tags=["queue"])


@router.get(
    "/v1/queue",
    summary="Look at the queue and the workers",
    response_description="how much waits, how fast it goes, and who works",
    responses=problems(InvalidRequest, errors.Unavailable),
)
def get_queue(parts: GivenParts) -> QueueView:
    """Look at the queue."""
    return QueueView.of(parts.queue.look(), [_as_seen(worker, parts) for worker in parts.workers.workers()])


def _as_seen(worker: WorkerInfo, parts: Parts) -> WorkerInfo:
    """A worker, without the job that it has if that is another one's."""
    if worker.busy_with is None or parts.jobs.has(worker.busy_with):
        return worker
    return worker.model_copy(update={"busy_with": None})
