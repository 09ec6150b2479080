"""Whether the service lives, whether it can do its work, and in numbers how well."""

from typing import Any, Final

from fastapi import APIRouter, Response, status
from prometheus_client import CONTENT_TYPE_LATEST

from disyre.errors import ArtifactsAway, Unavailable
from service.dependencies import GivenParts, OpenParts, Parts
from service.gate import KEYED
from service.limiters import in_thread
from service.openapi import GUARD_ERRORS, problems
from service.openapi_examples import METRICS
from service.state_schemas import Liveness, Readiness
from service.view import View

router = APIRouter(tags=["health"])

_LIVES: Final = "the process answers"
_IS_READY: Final = "a scan can be scored now"


def not_ready(view: type[View]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that says the same with another status."""
    said = {"model": view, "description": "no scan can be scored now"}
    return {status.HTTP_503_SERVICE_UNAVAILABLE: said}


@router.head("/livez", summary="Ask whether the process answers", response_description=_LIVES)
@router.get("/livez", summary="See whether the process answers", response_description=_LIVES)
async def get_liveness() -> Liveness:
    """Whether this process answers; says nothing about what it needs."""
    return Liveness()


@router.head(
    "/readyz",
    summary="Ask whether a scan can be scored now",
    response_description=_IS_READY,
    responses=not_ready(Readiness),
)
@router.get(
    "/readyz",
    summary="See whether a scan can be scored now, and why not",
    response_description=_IS_READY,
    responses=not_ready(Readiness),
)
async def get_readiness(response: Response, parts: OpenParts) -> Readiness:
    """Whether a scan that is posted now can be scored."""
    checks = await checked(response, parts)
    return Readiness(ready=all(checks.values()), checks=checks)


async def checked(response: Response, parts: Parts) -> dict[str, bool]:
    """What is needed, and whether it is there; a response to be a 503 if it is not."""
    checks = await in_thread(parts.limiters.health, _check, parts)
    if not all(checks.values()):
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return checks


def _check(parts: Parts) -> dict[str, bool]:
    here = {"disk": _has_room(parts), "artifacts": parts.artifacts.is_reachable()}
    try:
        workers = parts.workers.workers()
        moves = parts.queue.pace().standstill_s <= parts.settings.max_standstill_s
    except Unavailable:
        return {"broker": False, "worker": False, "queue": False, **here}
    has_worker = any(worker.models for worker in workers)
    return {"broker": True, "worker": has_worker, "queue": moves, **here}


def _has_room(parts: Parts) -> bool:
    """Whether there is room for uploads; of a folder that is away, nobody knows."""
    try:
        return parts.room.is_left()
    except ArtifactsAway:
        return False


@router.get(
    "/metrics",
    summary="Read the metrics, as Prometheus does",
    response_description="the metrics, as text",
    response_class=Response,
    dependencies=[KEYED],
    responses={
        **problems(*GUARD_ERRORS),
        200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": METRICS}}},
    },
)
async def get_metrics(parts: GivenParts) -> Response:
    """Metrics for Prometheus."""
    text = await in_thread(parts.limiters.health, _render_metrics, parts)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _render_metrics(parts: Parts) -> bytes:
    try:
        watch = parts.queue
        parts.metrics.read_queue(watch.look(), watch.pace(), parts.workers.workers(), watch.counts())
    except Unavailable:
        parts.metrics.lose_broker()
    return parts.metrics.render()
