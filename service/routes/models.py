"""The models that are offered, and what is known about them."""

from fastapi import APIRouter

from disyre import errors
from disyre.model_package import ModelPackage
from disyre.model_shelf import ModelShelf
from service.dependencies import GivenModelName, GivenParts, GivenVersion
from service.errors import InvalidRequest, ModelNotFound
from service.model_schemas import MODELS_PATH, ModelList, ModelView
from service.openapi import problems

router = APIRouter(prefix=MODELS_PATH, tags=["models"])


@router.get(
    "",
    summary="List the models that are offered",
    response_description="all models in all versions, and what was left out",
    responses=problems(InvalidRequest),
)
def list_models(parts: GivenParts) -> ModelList:
    """List all models in all versions: those that a worker holds, or, while no worker is there, all."""
    return ModelList.of(parts.models.packages(), parts.models.unusable())


@router.get(
    "/{name}",
    summary="List the versions of a model",
    response_description="all versions of the model",
    responses=problems(ModelNotFound, InvalidRequest),
)
def list_versions(name: GivenModelName, parts: GivenParts) -> ModelList:
    """List the versions of a model."""
    found = ModelList.of(
        [each for each in parts.models.packages() if each.manifest.name == name],
        [each for each in parts.models.unusable() if each.name == name],
    )
    if not found.models and not found.left_out:
        find_model(parts.models, name)
    return found


@router.get(
    "/{name}/versions/{version}",
    summary="Look at a version of a model",
    response_description="the version, and what is known of it",
    responses=problems(
        ModelNotFound, InvalidRequest, errors.NoWorker, errors.DamagedModel, errors.Unavailable
    ),
)
def get_model(name: GivenModelName, version: GivenVersion, parts: GivenParts) -> ModelView:
    """Look at one version of a model."""
    return ModelView.of(find_model(parts.models, name, version))


def find_model(models: ModelShelf, name: str, version: str | None = None) -> ModelPackage:
    """The package of a version, or of the newest. Raises ModelNotFound, NoWorker or DamagedModel."""
    try:
        return models.find(name, version)
    except errors.UnknownModel as error:
        raise ModelNotFound(str(error)) from error
