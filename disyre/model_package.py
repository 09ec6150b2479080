"""Model packages: a folder with `model.onnx` and the `model.json` that says how to use it.

The manifest is the contract between trainer and worker: the trainer writes it through the class that
the worker reads it with, and it carries the SHA-256 of the network that it describes.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import (
    AwareDatetime,
    Field,
    field_validator,
    model_validator,
)

from disyre.emphasis import Emphasis
from disyre.errors import DisyreError, Misconfigured, Unavailable, UnknownModel
from disyre.frozen import Frozen
from disyre.intensity import IntensityRule
from disyre.manifest_file import read_manifest
from disyre.modality import Modality

NETWORK_FILE = "model.onnx"
MANIFEST_FILE = "model.json"
CARD_FILE = "MODEL_CARD.md"

MODEL_NAME: Final = r"^[a-z0-9][a-z0-9-]*$"
VERSION: Final = r"^[1-9][0-9]*$"
"""What models and their versions are called."""

Severity = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Mode = Literal["ensemble", "stepwise"]


class Grid(Frozen):
    """The grid on which the network wants its slices."""

    spacing_mm: float = Field(default=1.0, gt=0)
    """Distance between voxel centres, along all three axes."""
    orientation: Literal["RAS"] = "RAS"
    """Where its axes lead: right, front, head."""
    slice_axis: Literal[2] = 2
    """Axis that is cut into slices: 2 is axial."""
    stride: int = Field(default=32, ge=1)
    """Height and width of a slice are multiples of this."""
    frame_invariant: bool = False
    """What the network estimates in a brain stays the same if the frame around it is cut off or widened by
    multiples of `stride`, and it estimates 0 where the frame is 0."""
    max_tilt_deg: float = Field(default=15.0, ge=0, le=180)
    """A head that is turned against the grid by more than this is unlike those of the training."""


class Windows(Frozen):
    """Overlapping windows instead of whole slices."""

    window: int = Field(default=128, ge=8)
    """Edge of the square window, in voxels."""
    stride: int = Field(default=32, ge=1)
    """Distance between neighbouring windows, in voxels; divides `window`."""

    @model_validator(mode="after")
    def _check_stride(self) -> Self:
        if self.window % self.stride:
            raise ValueError(f"expected a stride that divides the window of {self.window}, got {self.stride}")
        return self


class ScanSettings(Frozen):
    """How a scan is scored: which loop, under which severities, in which frame."""

    mode: Mode = "ensemble"
    """Whether each severity is a step by itself or goes on from the one before (`stepwise`)."""
    severities: tuple[Severity, ...] = Field(min_length=1, max_length=100)
    """How corrupted the network is told that the scan is, one call for each."""
    told_severities: tuple[Severity, ...] | None = None
    """What the network is told instead of `severities`; only the parity preset sets it."""
    windows: Windows | None = None
    """None scores whole slices."""
    foreground_weight: bool = False
    """Scale each window's residual by its share of voxels that are not background."""
    across_slices_mm: float = Field(default=0.0, ge=0, le=20)
    """Standard deviation of the Gaussian that the map is smoothed with across slices; 0: not at all."""
    emphasis: Emphasis | None = None
    """What counts more than the rest; None: all changes alike, as in the papers."""
    intensity: IntensityRule = IntensityRule()
    """How raw intensities become the network's."""
    bias_correction: bool = False
    """Divide the scan by the shading that is found in it."""
    align: bool = False
    """Turn a head upright that is tilted by more than the grid's `max_tilt_deg`."""

    @model_validator(mode="after")
    def _check_severities(self) -> Self:
        falling = all(a > b for a, b in zip(self.severities, self.severities[1:], strict=False))
        if self.mode == "stepwise" and not (falling and self.severities[-1] > 0):
            raise ValueError("a stepwise restoration needs severities that fall and stay above 0")
        if self.told_severities is not None and len(self.told_severities) != len(self.severities):
            raise ValueError("expected as many told severities as severities")
        return self

    @model_validator(mode="after")
    def _check_align(self) -> Self:
        if self.align and self.intensity.over == "frame":
            raise ValueError(
                "expected intensities scaled over the brain with align, got over the whole frame"
            )
        return self


class HealthyBrain(Frozen):
    """What one of the scans shows that a model was calibrated on."""

    name: str
    """What the scan is called in its data set."""
    anomaly_score: float = Field(ge=0)
    """As in the summary of a job."""
    above_threshold_ml: float = Field(ge=0)
    """Volume above a threshold that was set on the other scans; of one alone, on itself."""


class Calibration(Frozen):
    """What the map looks like on healthy scans that were kept out of training."""

    threshold: float = Field(gt=0)
    """Anomaly map value above which a voxel is reported."""
    healthy_percentile: float = Field(gt=0, le=100)
    """Percentile of healthy brain voxels that lie below the threshold."""
    n_scans: int = Field(ge=1)
    """So many healthy scans."""
    false_positive_ml: float | None = Field(default=None, ge=0)
    """Mean volume above the threshold in one of these brains; null in packages from before it was noted."""
    healthy: tuple[HealthyBrain, ...] = ()
    """Each of the scans; none in packages from before they were noted."""


class TrainingData(Frozen):
    """One data set that the weights have seen."""

    name: str
    """Of the data set."""
    n_scans: int = Field(ge=1)
    """So many of its scans were used."""
    licence: str
    """Of the data."""
    url: str | None = None
    """Where they are from."""


class ModelManifest(Frozen):
    """Everything that is needed to score a scan with a network, and to judge whether to."""

    manifest_version: Literal[1] = 1
    name: str = Field(pattern=MODEL_NAME)
    version: str = Field(pattern=VERSION)
    modality: Modality
    created_at: AwareDatetime
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of `model.onnx`."""
    n_parameters: int = Field(gt=0)
    gflop_per_patch: float = Field(gt=0)
    """Billions of floating-point operations (two a multiply-add) for one patch of 128 x 128."""
    grid: Grid = Grid()
    scan: ScanSettings
    calibration: Calibration
    training_data: tuple[TrainingData, ...]
    trained_on: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = ()
    """SHA-256 of each scan's voxels on the model's grid; none in packages from before they were noted."""
    licence: str
    intended_use: str
    metrics: dict[str, float] = Field(default_factory=dict)

    @field_validator("metrics")
    @classmethod
    def _finite(cls, metrics: dict[str, float]) -> dict[str, float]:
        bad = [name for name, value in metrics.items() if value != value]
        if bad:
            raise ValueError(f"expected finite metrics, got NaN for {bad}")
        return metrics


def verified_network(path: Path, sha256: str) -> bytes:
    """The bytes of a network file, after they were compared with the SHA-256 of its manifest.

    Raises Misconfigured if there is none or if they differ.
    """
    try:
        network = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"no network at {path}") from error
    found = hashlib.sha256(network).hexdigest()
    if found != sha256:
        raise other_network(path, sha256, found)
    return network


def other_network(path: Path, expected: str, found: str) -> Misconfigured:
    """What is raised for a network file whose SHA-256 is not that of its manifest."""
    return Misconfigured(
        f"{path} is not the network of its manifest: expected SHA-256 {expected}, got {found}"
    )


@dataclass(frozen=True)
class ModelPackage:
    """A manifest and the folder that holds its network."""

    folder: Path
    manifest: ModelManifest

    @property
    def name(self) -> str:
        """As `name/version`."""
        return f"{self.manifest.name}/{self.manifest.version}"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a package.

        Raises Misconfigured if there is none that can be used.
        """
        return cls(folder, read_manifest(ModelManifest, folder / MANIFEST_FILE, what="model package"))

    def verified_network(self) -> bytes:
        """The bytes of the network, after they were compared with the manifest's SHA-256.

        Raises Misconfigured if they differ: a flipped bit in the weights would otherwise load without a word.
        """
        return verified_network(self.folder / NETWORK_FILE, self.manifest.sha256)

    def write_manifest(self) -> None:
        """Write `model.json`."""
        text = self.manifest.model_dump_json(indent=2)
        (self.folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True)
class UnusablePackage:
    """A folder in the place of a package from which no scan can be scored."""

    name: str
    """Of the model, as its folder is called."""
    version: str
    error: DisyreError
    """Why."""
    manifest: ModelManifest | None
    """None if it cannot be read."""


def refusal_of(unusable: Sequence[UnusablePackage]) -> DisyreError:
    """Why none of these can be used, of which there is at least one: all that is for the operator to mend.

    It is what is said of the last of them, unless that is for the operator.
    """
    newest = unusable[-1].error
    wrong = [each for each in unusable if isinstance(each.error, Misconfigured)]
    if len(wrong) == 1 or not isinstance(newest, Misconfigured):
        return newest
    return Misconfigured("; ".join(f"{each.name}/{each.version}: {each.error}" for each in wrong))


Check: TypeAlias = Callable[[ModelPackage], None]
"""Raises Misconfigured or Unavailable for a package that shall not be used."""


class ModelShelf:
    """The model packages that are installed, as `<name>/<version>/` below a folder.

    What cannot be used, such as a package that is being copied, is left out until it can be.
    """

    def __init__(self, folder: Path, check: Check | None = None) -> None:
        """Without a `check`, what has a manifest that can be read is used."""
        self.folder = folder
        self._check = check

    def packages(self) -> list[ModelPackage]:
        """Every package that can be used, by name and then by version, the newest version last."""
        return self._look()[0]

    def unusable(self) -> list[UnusablePackage]:
        """What cannot be used, in the same order."""
        return self._look()[1]

    def find(self, name: str, version: str | None = None) -> ModelPackage:
        """The package of this name and version, or its newest version that can be used.

        Raises UnknownModel if there is none; Misconfigured, which names each, or what the check raises, if
        none can be used.
        """
        usable, unusable = self._look()
        fitting = [p for p in usable if p.manifest.name == name and version in (None, p.manifest.version)]
        if fitting:
            return fitting[-1]
        refused = [each for each in unusable if each.name == name and version in (None, each.version)]
        raise refusal_of(refused) if refused else _unknown(usable)

    def packages_of(self, version: str | None) -> list[ModelPackage]:
        """Every package, or those of a version. Raises UnknownModel if there is none."""
        usable = self.packages()
        found = [package for package in usable if version in (None, package.manifest.version)]
        if not found:
            raise _unknown(usable)
        return found

    def find_for(self, modality: str, version: str | None = None) -> ModelPackage | None:
        """The model for a modality; None if there is none.

        Of several, it is the one that has the modality's name in lower case, else the first by name; a name
        has the modality of its newest version. Raises UnknownModel if that model has no such version, and
        what `find` raises if there are packages for it of which none can be used.
        """
        usable, unusable = self._look()
        known = [package.manifest for package in usable]
        refused = [each.manifest for each in unusable if each.manifest is not None]
        for manifests in (known, refused):
            newest = {manifest.name: manifest.modality for manifest in manifests}
            names = sorted(newest, key=lambda name: (name != modality.lower(), name))
            name = next((name for name in names if newest[name] == modality), None)
            if name is not None:
                return self.find(name, version)
        return None

    def _look(self) -> tuple[list[ModelPackage], list[UnusablePackage]]:
        usable, unusable = [], []
        for folder in self._folders():
            package = None
            try:
                package = _read_named(folder)
                if self._check is not None:
                    self._check(package)
                usable.append(package)
            except (Misconfigured, Unavailable) as error:
                manifest = package.manifest if package is not None else None
                unusable.append(UnusablePackage(folder.parent.name, folder.name, error, manifest))
        return usable, unusable

    def _folders(self) -> list[Path]:
        found = [path.parent for path in self.folder.glob(f"*/*/{MANIFEST_FILE}")]
        numbered = [folder for folder in found if folder.name.isdecimal()]
        return sorted(numbered, key=lambda folder: (folder.parent.name, int(folder.name)))


def _unknown(usable: Sequence[ModelPackage]) -> UnknownModel:
    names = (package.manifest for package in usable)
    known = ", ".join(f"{each.name} version {each.version}" for each in names) or "none"
    return UnknownModel(f"expected one of the installed models ({known})")


def _read_named(folder: Path) -> ModelPackage:
    """Read a package that lies at `<name>/<version>`. Raises Misconfigured if it has another name inside."""
    package = ModelPackage.read(folder)
    inside = (package.manifest.name, package.manifest.version)
    if inside != (folder.parent.name, folder.name):
        raise Misconfigured(f"the model package at {folder} calls itself {'/'.join(inside)}")
    return package
