"""The queue, and who works on it."""

from fastapi import APIRouter

from disyre import errors
from service.dependencies import GivenParts
from service.openapi import problems
from service.state_schemas import QueueView

router = APIRouter(tags=["queue"])


@router.get("/v1/queue", responses=problems(errors.InvalidInput, errors.Unavailable))
def get_queue(parts: GivenParts) -> QueueView:
    """Look at the queue."""
    return QueueView.of(parts.queue.look(), parts.workers.workers())
