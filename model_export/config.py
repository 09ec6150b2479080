"""TrainingConfig: every number that a run depends on, with its unit. Read from `configs/*.toml`."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from disyre.errors import Misconfigured
from disyre.intensity import BRAIN_FLOOR, IntensityRule
from disyre.modality import Modality
from model_export.config_words import wrong_in_words

CONFIGS: Final = Path(__file__).parent / "configs"
"""Where the named configs are."""

PublishedKind = Literal["dag", "fpi"]
"""Disentangled anomaly generation (v2) or foreign patch interpolation (v1)."""

PARITY_CODEBOOK: Final = (0.00565079, 0.38283867, 0.61224216, 0.76920754, 0.9385473)
"""The reference implementation's tissue intensities, for every modality; background is the first."""

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Shape of the restoration U-Net: one entry a level, the finest (half resolution) first."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    widths: tuple[int, ...] = (32, 64, 128, 192)  # channels of each level
    encoder_blocks: tuple[int, ...] = (1, 1, 1)  # residual blocks of each level but the coarsest
    middle_blocks: int = 2  # residual blocks of the coarsest level
    decoder_blocks: tuple[int, ...] = (1, 1, 1)  # residual blocks of each level but the coarsest
    middle_dilations: tuple[int, ...] = (1, 2)  # of the middle blocks in turn, to see more of a slice

    @property
    def stride(self) -> int:
        """Height and width of a slice are multiples of this, in pixels."""
        return 1 << len(self.widths)


@dataclass(frozen=True, kw_only=True)
class LesionConfig:
    """How lesion-like anomalies are drawn; lengths in pixels of 1 mm."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    radius_px: tuple[float, float] = (1.5, 45.0)  # log-uniform
    elongation: float = 2.5  # largest ratio of the two diameters
    p_dark: float = 0.75  # darker than its place; others are brighter
    p_selective: float = 0.35  # mostly of the tissue of its middle
    p_additive: float = 0.25  # a shift of grey; others are a replacement
    p_core: float = 0.35  # with a core of another grey
    p_scattered: float = 0.15  # many small ones
    texture: float = 0.12  # largest standard deviation of what replaces tissue


@dataclass(frozen=True, kw_only=True)
class PaperNetworkConfig:
    """Shape of the papers' U-Net: one entry a level, the finest (full resolution) first. As published."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    kind: Literal["paper"]  # tells it from the network that ships
    widths: tuple[int, ...] = (32, 64, 96, 128, 256, 256)  # channels of each level, multiples of 32
    layers: int = 2  # residual blocks of each level on the way down; one more on the way up
    attention_at: tuple[int, ...] = (4,)  # levels, counted from 0
    head_width: int = 8  # channels of an attention head

    @property
    def stride(self) -> int:
        """Height and width of a slice are multiples of this, in pixels."""
        return 1 << (len(self.widths) - 1)


@dataclass(frozen=True, kw_only=True)
class CorruptionConfig:
    """How synthetic anomalies are drawn; what is left of 1 after the three shares is DAG."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    p_clean: float = 0.1  # share of patches that are left alone
    p_fpi: float = 0.15  # share with foreign patch interpolation (v1)
    p_lesion: float = 0.5  # share with what looks like a lesion
    shapes: tuple[float, float, float] = (1.0, 1.0, 1.0)  # weights of rectangles, discs, blobs
    p_smooth: float = 0.7  # share of these with a soft edge; of one in five of them it is hard all the same
    p_texture: float = 0.8  # of the DAG patches, drawn independently of the bias
    p_bias: float = 0.8  # of the DAG patches
    p_another: float = 0.5  # that a patch with an anomaly gets one more
    max_anomalies: int = 3  # in one patch
    codebook: tuple[float, ...] = ()  # tissue intensities in [0, 1]; empty: k-means of the training data
    n_classes: int = 5  # entries of a codebook that is measured
    foreign: Literal["brain", "anywhere"] = "brain"  # a box around brain of another patch, or any box of it
    floor: float = BRAIN_FLOOR  # what is changed in the brain stays at least this; background is 0
    severity: Literal["realised", "drawn"] = "realised"  # the largest change, or what the reference tells
    p_untold: float = 0.5  # that the network is told any severity instead of the true one
    lesions: LesionConfig = LesionConfig()

    def __post_init__(self) -> None:
        """Raise ValueError for a probability that is none, and for shares of patches above 1 together."""
        for name, value in vars(self).items():
            if name.startswith("p_") and not 0 <= value <= 1:
                raise ValueError(f"expected {name} from 0 to 1, got {value:g}")
        if (shares := self.p_clean + self.p_fpi + self.p_lesion) > 1 + 1e-9:
            raise ValueError(f"expected p_clean, p_fpi and p_lesion of 1 together at most, got {shares:g}")

    @classmethod
    def parity(cls, kind: PublishedKind) -> Self:
        """As the reference implementation corrupts: one anomaly in every patch, by its own codebook."""
        return cls(
            p_clean=0.0,
            p_fpi=1.0 if kind == "fpi" else 0.0,
            p_lesion=0.0,
            p_texture=1.0,
            p_bias=1.0,
            p_another=0.0,
            max_anomalies=1,
            codebook=PARITY_CODEBOOK,
            foreign="anywhere",
            floor=0.0,
            severity="drawn",
            p_untold=0.0,
        )

    def only(self, kind: PublishedKind) -> "CorruptionConfig":
        """The published corruption of one kind, once in every patch: what validation measures."""
        p_fpi = 1.0 if kind == "fpi" else 0.0
        return dataclasses.replace(
            self, p_clean=0.0, p_lesion=0.0, p_fpi=p_fpi, p_texture=1.0, p_bias=1.0, max_anomalies=1
        )


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """Probabilities and ranges of the augmentations, each drawn for each patch on its own."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    p_spatial: float = 0.5  # rotation, zoom and elastic deformation together
    rotation_deg: float = 15.0  # uniform in +- this
    zoom: tuple[float, float] = (0.8, 1.25)  # log-uniform
    elastic_px: float = 5.0  # largest standard deviation of the displacement of control points 32 px apart
    p_mirror: float = 0.5  # along each in-plane axis
    p_brightness: float = 0.4
    brightness: tuple[float, float] = (0.65, 1.2)  # factor; a large bright lesion makes the rest dark
    p_gamma: float = 0.15  # once on the patch and once on its negative
    gamma: tuple[float, float] = (0.6, 1.7)  # exponent, log-uniform
    p_shading: float = 0.4  # a smooth multiplicative field, as of a receive coil
    shading: float = 0.3  # largest standard deviation of its logarithm
    p_noise: float = 0.15
    noise: float = 0.05  # largest standard deviation
    p_blur: float = 0.1
    blur_px: float = 1.2  # largest standard deviation


@dataclass(frozen=True, kw_only=True)
class ParityAugmentationConfig:
    """The reference implementation's augmentations, each drawn for each patch on its own; its figures."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    kind: Literal["parity"]  # tells it from the project's own
    p_elastic: float = 0.1
    elastic_sigma: float = 0.25  # largest smoothness of the displacement, as a share of the patch's edge
    elastic_peak: tuple[float, float] = (0.125, 0.5)  # largest displacement, as a share of its smoothness
    p_rotation: float = 0.1
    rotation_deg: float = 15.0  # uniform in +- this
    p_zoom: float = 0.1
    zoom: tuple[float, float] = (0.75, 1.25)  # of the distances sampled: half below 1, half above
    p_mirror: float = 0.5  # along each in-plane axis
    p_brightness: float = 0.15
    brightness: tuple[float, float] = (0.9, 1.1)  # factor
    p_gamma: float = 0.15  # once on the patch and once on its negative
    gamma: tuple[float, float] = (0.5, 2.0)  # exponent on the patch's range: half below 1, half above
    p_noise: float = 0.15
    noise: float = 0.05  # largest standard deviation
    p_blur: float = 0.075
    blur_px: tuple[float, float] = (0.5, 1.5)  # standard deviation


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One training run. Progress is counted in patches, never in steps."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str  # of the model, as in a model package
    modality: Modality
    scans_of: Modality | None = None  # modality of the scans that are given, if another: they are recoloured
    p_painted: float = 0.25  # share of patches that are painted from label maps, if there are any
    p_own: float = 0.25  # share of patches from scans of the modality itself, if there are any beside others
    licence: str = "unstated"  # of the weights
    population: str = "not stated"  # who and what was scanned, for the model card
    seed: int = 0
    held_back: tuple[str, ...] = ()  # scans kept out of training for validation and calibration
    n_phantoms: int = 6  # synthetic scans, if the run is given no data; the last two are held back

    intensity_over: Literal["brain", "frame"] = "brain"  # where the percentile is taken that becomes 1
    intensity_percentile: float = 99.0
    plain_maps: bool = False  # |x - x0| as in the papers: all changes alike, not smoothed across slices

    patch_px: Annotated[int, Field(ge=64)] = 128  # edge of a training patch; 1 px is 1 mm
    batch_size: Annotated[int, Field(ge=1)] = 16  # patches
    batches_at_once: Annotated[int, Field(ge=1)] = 1  # drawn together; 8 keep a GPU busy
    total_patches: Annotated[int, Field(ge=1)] = 400_000  # length of the learning-rate schedule
    max_train_s: Annotated[float, Field(ge=0)] = (
        0.0  # wall clock; the schedule hurries to end by then; 0: no limit
    )
    learning_rate: Annotated[float, Field(gt=0)] = 7e-4  # at the end of the warm-up
    warmup_patches: int = 8_000
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 1e-4
    grad_clip: float = 1.0  # largest global norm
    gate_weight: float = 0.015  # of the cross-entropy of what was changed, beside the squared error
    changed: float = 0.02  # a pixel is changed if it differs by more
    ema_halflife_patches: int = 8_000  # 0: no average, the newest weights are validated and exported
    precision: Literal["bf16", "fp32"] = "bf16"  # of the convolutions in training; weights are fp32
    device: str = "cpu"
    compile: bool = False  # the network, with torch.compile; pays on GPUs

    report_every_patches: int = 3_200
    validate_every_patches: int = 12_800
    n_validation_slices: int = 96  # of the held-back scans, for each kind of corruption
    n_lesion_cases: int = 12  # semi-synthetic cases of the held-back scans, if there are lesion shapes
    checkpoint_every_s: float = 120.0
    tensorboard: bool = False  # curves and pictures for TensorBoard, in the run folder

    network: NetworkConfig | PaperNetworkConfig = NetworkConfig()
    corruption: CorruptionConfig = CorruptionConfig()
    augmentation: AugmentationConfig | ParityAugmentationConfig = AugmentationConfig()

    def __post_init__(self) -> None:
        """Raise ValueError for patches that the network cannot halve as often as it has levels."""
        if self.patch_px % (stride := self.network.stride):
            raise ValueError(
                f"expected patch_px to be a multiple of {stride}, the network's stride, got {self.patch_px}"
            )

    @property
    def intensity(self) -> IntensityRule:
        """How scans are scaled in training; goes into the manifest."""
        return IntensityRule(over=self.intensity_over, percentile=self.intensity_percentile)

    def progress(self, patches: float, elapsed_s: float) -> float:
        """Share of a run that is over, by patches or, if a time is set, by the clock if that is further."""
        by_clock = elapsed_s / self.max_train_s if self.max_train_s > 0 else 0.0
        return max(patches / self.total_patches, by_clock)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Parse values, as of a TOML or JSON file.

        Raises Misconfigured for an unknown key or a value that cannot be.
        """
        try:
            return TypeAdapter(cls).validate_python(values)
        except ValidationError as error:
            wrong = wrong_in_words(error, cls, values)
            raise Misconfigured(f"in the training config, {wrong}") from error

    @classmethod
    def read(cls, name_or_path: str) -> Self:
        """Read a config by its name in `configs/`, or by its path.

        Raises Misconfigured if there is none that can be used.
        """
        named = CONFIGS / f"{name_or_path}.toml"
        path = named if named.is_file() else Path(name_or_path)
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.toml")))
            raise Misconfigured(f"expected one of the configs {known}, or a TOML file, got {name_or_path}")
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise Misconfigured(f"expected a config in TOML that can be read at {path}: {error}") from error
        return cls.from_mapping(values)

    def to_mapping(self) -> dict[str, Any]:
        """The values, as for a JSON file."""
        return dataclasses.asdict(self)
