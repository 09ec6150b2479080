"""The JSON that clients see of model packages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, Self, TypeAlias

from disyre import INTENDED_USE
from disyre.errors import DamagedModel, DisyreError, NoWorker
from disyre.modality import Modality
from disyre.model_manifest import Calibration, Grid, ModelManifest, ScanSettings, TrainingData
from disyre.model_package import ModelPackage
from disyre.model_shelf import UnusablePackage
from service.view import View

MODELS_PATH: Final = "/v1/models"


class ModelView(View):
    """A model package: everything that helps to judge whether to use it."""

    name: str
    """As the option `model` takes it."""
    version: str
    """A whole number, as text."""
    modality: Modality
    """What scans it is for."""
    created_at: datetime
    """When it was exported."""
    sha256: str
    """Of its network."""
    n_parameters: int
    """Weights of the network."""
    gflop_per_patch: float
    """Billions of floating-point operations (two a multiply-add) for one patch of 128 x 128."""
    grid: Grid
    """On which the network wants its slices."""
    scan: ScanSettings
    """How a scan is scored if its options say nothing else."""
    calibration: Calibration
    """What healthy scans look like that were kept out of training, and the threshold that follows."""
    training_data: tuple[TrainingData, ...]
    """What the weights have seen."""
    metrics: dict[str, float]
    """How well it did on scans that it had not seen, by the name of the figure."""
    licence: str
    """Of the weights, by its SPDX name."""
    href: str
    """This version, as a path below the root of the API."""
    intended_use: str = INTENDED_USE
    """What the service is for, and what it is not for."""

    @classmethod
    def of(cls, package: ModelPackage) -> Self:
        """View of a model package."""
        manifest: ModelManifest = package.manifest
        facts = {name: getattr(manifest, name) for name in cls.model_fields if hasattr(manifest, name)}
        facts["intended_use"] = INTENDED_USE
        return cls(**facts, href=f"{MODELS_PATH}/{manifest.name}/versions/{manifest.version}")


Reason: TypeAlias = Literal["no-worker", "model-damaged", "misconfigured"]
"""Why a package is not offered, as an error code."""


class LeftOutView(View):
    """A model package that is there, and not offered."""

    name: str
    """Of the model."""
    version: str
    """Of the model."""
    code: Reason
    """`no-worker`: workers are there, and none of them has it; `model-damaged`: those that would hold it find
    its package damaged, or not all of it; `misconfigured`: it cannot be read."""


class ModelList(View):
    """All model packages that are offered, or all versions of one model; the newest version last."""

    models: list[ModelView]
    """Those that jobs can be sent to."""
    left_out: list[LeftOutView]
    """The others that are there."""
    intended_use: str = INTENDED_USE
    """What the service is for, and what it is not for."""

    @classmethod
    def of(cls, packages: Sequence[ModelPackage], unusable: Sequence[UnusablePackage] = ()) -> Self:
        """View of model packages, and of those that are not offered."""
        left_out = [
            LeftOutView(
                name=each.name,
                version=each.version,
                code=_code_of(each.error),
            )
            for each in unusable
        ]
        return cls(models=[ModelView.of(package) for package in packages], left_out=left_out)


def _code_of(error: DisyreError) -> Reason:
    match error:
        case DamagedModel():
            return "model-damaged"
        case NoWorker():
            return "no-worker"
        case _:
            return "misconfigured"
