"""The JSON documents about models, as a client reads them: what each is for, and how well it does it."""

from pydantic import AwareDatetime, Field

from disyre.client.documents import Document


class GridDocument(Document):
    """On which a network wants its slices."""

    spacing_mm: float | None = None
    orientation: str | None = None
    """Where its axes lead, such as RAS: right, front, head."""
    slice_axis: int | None = None
    stride: int | None = None
    """Height and width of a slice are multiples of this."""
    frame_invariant: bool | None = None
    """Whether the size of the frame around a brain changes nothing in it."""
    max_tilt_deg: float | None = None
    """A head that is turned further is unlike those of the training."""


class WindowsDocument(Document):
    """Overlapping windows instead of whole slices; in voxels."""

    window: int
    stride: int


class EmphasisDocument(Document):
    """What counts more than the rest."""

    towards: str
    """What lesions are beside what is expected in their place: bright, or dark."""
    other: float | None = None
    """Weight of changes in the other direction."""
    rank_power: float | None = None
    """The map is multiplied with the voxel's rank in the brain to this power."""


class IntensityDocument(Document):
    """How raw intensities become the network's."""

    over: str | None = None
    """Which voxels count: those of the brain, or all (`frame`)."""
    percentile: float | None = None
    """The one of them that becomes 1."""


class ScanSettingsDocument(Document):
    """How a scan is scored if its options say nothing else."""

    mode: str | None = None
    severities: tuple[float, ...] = ()
    told_severities: tuple[float, ...] | None = None
    """What the network is told instead of `severities`."""
    windows: WindowsDocument | None = None
    """None scores whole slices."""
    foreground_weight: bool | None = None
    across_slices_mm: float | None = None
    """Standard deviation of the Gaussian that the map is smoothed with across slices."""
    emphasis: EmphasisDocument | None = None
    """None if all changes count alike."""
    intensity: IntensityDocument | None = None
    bias_correction: bool | None = None
    align: bool | None = None


class HealthyBrainDocument(Document):
    """What one of the scans shows that a model was calibrated on."""

    name: str
    anomaly_score: float
    above_threshold_ml: float


class CalibrationDocument(Document):
    """What healthy scans look like that were kept out of training."""

    threshold: float
    """Anomaly map value above which a voxel is reported."""
    healthy_percentile: float | None = None
    """Percentile of healthy brain voxels that lie below it."""
    n_scans: int | None = None
    false_positive_ml: float | None = None
    """Mean volume above it in one of these brains."""
    healthy: tuple[HealthyBrainDocument, ...] = ()


class TrainingDataDocument(Document):
    """One data set that the weights have seen."""

    name: str
    n_scans: int | None = None
    licence: str = ""
    url: str | None = None


class ModelDocument(Document):
    """A model package that is installed."""

    name: str
    version: str
    modality: str | None = None
    """What scans it is for."""
    sha256: str | None = None
    """Of its network."""
    created_at: AwareDatetime | None = None
    n_parameters: int | None = None
    gflop_per_patch: float | None = None
    """Billions of floating-point operations (two a multiply-add) for one patch of 128 x 128."""
    grid: GridDocument | None = None
    scan: ScanSettingsDocument | None = None
    calibration: CalibrationDocument | None = None
    training_data: tuple[TrainingDataDocument, ...] = ()
    metrics: dict[str, float] = Field(default={})
    """How well it did on scans that it had not seen, by the name of the figure."""
    licence: str = ""
    href: str = ""
    intended_use: str = ""


class LeftOutDocument(Document):
    """A model package that is there, and not offered."""

    name: str
    version: str
    code: str = ""


class ModelListDocument(Document):
    """Model packages."""

    models: tuple[ModelDocument, ...]
    left_out: tuple[LeftOutDocument, ...] = ()
    intended_use: str = ""


class HeldModelDocument(Document):
    """A version of a model that a worker takes jobs for."""

    name: str
    version: str
    sha256: str = ""
    modality: str | None = None
    """What scans it is for."""
