"""What `summary.json` says, in its long form and in the short one that a job document has.

An API says so too, so nothing here computes.
"""

from typing import Any, Literal

from disyre import INTENDED_USE, __version__
from disyre.bias_settings import BiasSettings
from disyre.figures import Number, PerAxis
from disyre.frozen import Frozen
from disyre.healthy_comparison import HealthyComparison
from disyre.modality import Guess
from disyre.model_manifest import ScanSettings
from disyre.preparation_record import PreparationRecord
from disyre.scan_record import Certainty, MaskSource, Position

_N_SHORT = 5
"""Regions in a short form."""


class RegionSummary(Frozen):
    """A connected region of the brain in which the map is above the threshold."""

    volume_ml: Number
    """In mL."""
    peak: Number
    """The highest value of the map in it."""
    mean: Number
    """Of the map over it."""
    peak_position_mm: PerAxis
    """World, RAS+."""
    centroid_mm: PerAxis
    """World, RAS+."""


class ModelSummary(Frozen):
    """The network that made the map."""

    name: str
    """Of the model."""
    version: str
    """Of the model; a whole number, as text."""
    sha256: str
    """Of the network."""
    modality: str
    """What scans it is for."""
    licence: str
    """Of the weights, by its SPDX name."""


class ScanSummary(Frozen):
    """The scan, as it was read."""

    shape: tuple[int, int, int]
    """Voxels along each axis."""
    spacing_mm: PerAxis
    """Edges of a voxel, along the same axes."""
    orientation: str
    """Where each axis leads, such as LPS: left, back, head."""
    brain_ml: Number
    """Volume of the brain mask."""
    brain_mask: MaskSource
    """Where that is from."""
    position: Position | None = None
    """What said where the scan lies; null in summaries from before this was recorded."""
    volume_index: int | None = None
    """Which volume of a NIfTI file was asked for, counted from 0."""
    n_images: int | None = None
    """How many DICOM images, or frames of Enhanced MR, the scan is made of; null of NIfTI."""
    transfer_syntaxes: tuple[str, ...] | None = None
    """How those were stored, as the standard calls it; null of NIfTI."""
    padding: Number | None = None
    """Value below 0 of a background that was taken for padding and set to 0."""
    brain_network: str | None
    """What looked for the brain, as `name/version`; null if nothing had to."""
    brain_certainty: Certainty | None = None
    """Of that network."""
    modality: Guess | None = None
    """What the scan was taken for, and why."""


class ShortSummary(Frozen):
    """What a job document says of its result: no settings, and the five largest regions."""

    anomaly_score: Number
    """Mean of the map over the hundredth of the brain where it is highest."""
    max: Number
    """Of the map over the brain."""
    threshold: Number
    """Value of the map above which a region is reported."""
    volume_above_threshold_ml: Number
    """Of the brain."""
    n_regions: int
    """All that are large enough to count."""
    warnings: tuple[str, ...]
    """What is to be known beside the figures."""
    p99: Number
    """Percentile of the map over the brain."""
    regions: tuple[RegionSummary, ...]
    """The largest first."""


class Summary(Frozen):
    """Scores, regions and circumstances of one scored scan."""

    intended_use: str = INTENDED_USE
    """What the service is for, and what it is not for."""
    software: str = f"disyre {__version__}"
    """What scored the scan."""
    anomaly_score: Number
    """Mean of the map over the hundredth of the brain where it is highest."""
    max: Number
    """Of the map over the brain."""
    mean: Number
    """Likewise."""
    percentiles: dict[str, Number]
    """Of the map over the brain, as `p99`."""
    threshold: Number
    """Value of the map above which a region is reported."""
    threshold_source: Literal["calibration", "request"]
    """Whether that is the model's, or was asked for."""
    healthy_percentile: Number | None
    """Percentile of healthy brain voxels that lie below the threshold, if known for these settings."""
    volume_above_threshold_ml: Number
    """Of the brain."""
    share_above_threshold: Number
    """Of the brain."""
    healthy_share_above_threshold: Number | None
    """The same in the healthy scans of the calibration, if known for these settings."""
    healthy_comparison: HealthyComparison | None = None
    """Where the scan stands among these, if they were noted one by one and the settings are theirs."""
    least_region_ml: Number
    """What is smaller is not counted as a region."""
    n_regions: int
    """All that are large enough to count."""
    regions: tuple[RegionSummary, ...]
    """The largest first; at most 50."""
    model: ModelSummary
    """What made the map."""
    provider: str
    """ONNX Runtime execution provider that ran the network."""
    scan: ScanSummary
    """How the files were read, and what the scan was taken for."""
    preparation: PreparationRecord
    """What was done to it before the network saw it."""
    bias_correction: BiasSettings | None = None
    """How the shading of `preparation.bias_field` was looked for; null if it was not."""
    settings: ScanSettings
    """How it was scored."""
    timings_s: dict[str, Number]
    """Seconds by stage."""
    warnings: tuple[str, ...] = ()
    """What is to be known beside the figures."""

    def short(self) -> dict[str, Any]:
        """The short form, as a job keeps it."""
        facts = self.model_dump(include=ShortSummary.model_fields.keys() - {"regions"})
        short = ShortSummary(**facts, p99=self.percentiles["p99"], regions=self.regions[:_N_SHORT])
        return short.model_dump(mode="json")
