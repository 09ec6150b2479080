"""What a new run begins with: the weights of a run before it, or of a model package."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from disyre.errors import InvalidInput
from disyre.model_manifest import TrainingData
from disyre.model_package import MANIFEST_FILE, ModelPackage
from model_export.checkpoint import Checkpoint
from model_export.config import NetworkConfig, PaperNetworkConfig
from model_export.evaluation.unseen import trained_on
from model_export.package_weights import package_weights
from model_export.run_folder import RunFolder, describe_run


@dataclass(frozen=True)
class Beginning:
    """Weights, and all that they have seen: what is made of them has seen it too."""

    weights: dict[str, Any]
    made: str
    """How, in words."""
    sources: tuple[TrainingData, ...]
    trained_on: tuple[str, ...]
    """SHA-256 of scans (`model_export.evaluation.unseen`)."""

    @classmethod
    def find(cls, place: Path, network: NetworkConfig | PaperNetworkConfig) -> Self:
        """Read a run folder or a model package.

        Raises InvalidInput for another network than this, Misconfigured for what cannot be used.
        """
        if (place / MANIFEST_FILE).is_file():
            return cls._of_package(ModelPackage.read(place), network)
        checkpoint = Checkpoint.load_chosen(place, "cpu")
        run = RunFolder(place)
        if run.config().network != network:
            raise InvalidInput("expected a run of the same [network] at --start-from, got another")
        return cls(checkpoint.ema, _words(run, checkpoint), run.split().sources, trained_on(run))

    @classmethod
    def _of_package(cls, package: ModelPackage, network: NetworkConfig | PaperNetworkConfig) -> Self:
        manifest = package.manifest
        made = f"{package.name} (SHA-256 {manifest.sha256[:12]})"
        return cls(package_weights(package, network), made, manifest.training_data, manifest.trained_on)


def _words(run: RunFolder, checkpoint: Checkpoint) -> str:
    """How the weights of a run were made, from the first of the runs that it goes back to."""
    environment = run.environment()
    made = describe_run(
        run.config(),
        patches=checkpoint.patches,
        elapsed_s=checkpoint.elapsed_s,
        commit=environment["commit"],
    )
    before = environment.get("begun_with")
    return made if before is None else f"{before}; then {made}"
