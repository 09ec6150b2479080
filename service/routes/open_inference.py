"""The questions after health of the Open Inference Protocol, as KServe and Triton answer them."""

from fastapi import APIRouter, Response

from disyre import errors
from service.dependencies import GivenModelName, GivenParts, OpenParts
from service.errors import InvalidRequest, ModelNotFound
from service.openapi import problems
from service.routes.health import checked, not_ready
from service.routes.models import find_model
from service.state_schemas import ModelReadiness, ServerLiveness, ServerReadiness

router = APIRouter(prefix="/v2/health", tags=["health"])
models = APIRouter(prefix="/v2/models", tags=["health"])


@router.get(
    "/live",
    summary="See whether the process answers, as KServe asks it",
    response_description="the process answers",
)
async def get_server_liveness() -> ServerLiveness:
    """As `/livez`."""
    return ServerLiveness()


@router.get(
    "/ready",
    summary="See whether a scan can be scored now, as KServe asks it",
    response_description="a scan can be scored now",
    responses=not_ready(ServerReadiness),
)
async def get_server_readiness(response: Response, parts: OpenParts) -> ServerReadiness:
    """As `/readyz`."""
    return ServerReadiness(ready=all((await checked(response, parts)).values()))


@models.get(
    "/{name}/ready",
    summary="See whether a model can score a scan now",
    response_description="a worker has the model",
    responses=problems(
        ModelNotFound, InvalidRequest, errors.NoWorker, errors.DamagedModel, errors.Unavailable
    ),
)
def get_model_readiness(name: GivenModelName, parts: GivenParts) -> ModelReadiness:
    """Whether a worker that is there has the model; else a 503 says why there is none."""
    find_model(parts.models, name)
    if not any(worker.takes(name) for worker in parts.workers.workers()):
        raise errors.NoWorker("no worker is there now; try again later")
    return ModelReadiness(name=name)
