"""The manifest of a model package, `model.json`: the contract between trainer and worker.

The trainer writes it through the class that the worker reads it with, and it carries the SHA-256 of the
network that it describes.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    Field,
    field_validator,
    model_validator,
)

from disyre.emphasis import Emphasis
from disyre.frozen import Frozen
from disyre.intensity import IntensityRule
from disyre.modality import Modality

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
