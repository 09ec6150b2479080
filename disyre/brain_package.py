"""The package of the network that finds the brain: `brain/<version>/` with `model.onnx` and `brain.json`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import AwareDatetime, Field

from disyre.brain_extraction import BrainFinder, BrainNetwork
from disyre.frozen import Frozen
from disyre.manifest_file import read_manifest
from disyre.model_manifest import TrainingData
from disyre.model_package import NETWORK_FILE, verified_network

FOLDER: Final = "brain"
MANIFEST_FILE: Final = "brain.json"


class BrainManifest(Frozen):
    """Everything that is needed to use the network, and to judge it."""

    manifest_version: Literal[1] = 1
    name: Literal["brain"] = "brain"
    version: str = Field(pattern=r"^[1-9][0-9]*$")
    created_at: AwareDatetime
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of `model.onnx`."""
    n_parameters: int = Field(gt=0)
    spacing_mm: float = Field(gt=0)
    """Of the grid, in RAS order, on which the network wants a head."""
    stride: int = Field(ge=1)
    """Edges of its input are multiples of this."""
    least_shape: tuple[int, int, int] = (1, 1, 1)
    """Of its input; a smaller image lies in the middle of nothing."""
    training_data: tuple[TrainingData, ...]
    licence: str
    intended_use: str
    metrics: dict[str, float]

    def finder(self, network: BrainNetwork) -> BrainFinder:
        """What finds brains with the network of this package."""
        return BrainFinder(
            network, spacing_mm=self.spacing_mm, stride=self.stride, least_shape=self.least_shape
        )


@dataclass(frozen=True)
class BrainPackage:
    """A manifest and the folder that holds its network."""

    folder: Path
    manifest: BrainManifest

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a package. Raises Misconfigured if there is none that can be used."""
        return cls(folder, read_manifest(BrainManifest, folder / MANIFEST_FILE, what="brain network"))

    @classmethod
    def newest(cls, models: Path) -> Self | None:
        """The newest version below the folder of all models; None if there is none.

        Raises Misconfigured if it cannot be used.
        """
        found = [path.parent for path in models.glob(f"{FOLDER}/*/{MANIFEST_FILE}")]
        folders = [folder for folder in found if folder.name.isdecimal()]
        return cls.read(max(folders, key=lambda folder: int(folder.name))) if folders else None

    def verified_network(self) -> bytes:
        """The bytes of the network. Raises Misconfigured if they are not those of the manifest."""
        return verified_network(self.folder / NETWORK_FILE, self.manifest.sha256)

    @property
    def name(self) -> str:
        """The network, as `name/version`."""
        return f"{self.manifest.name}/{self.manifest.version}"
