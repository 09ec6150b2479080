"""The example of a summary in `/openapi.json`."""

from typing import Any, Final

from disyre.modality import Guess
from disyre.model_manifest import ScanSettings
from disyre.preparation_record import PreparationRecord, TiltRecord
from disyre.summary_record import ModelSummary, RegionSummary, ScanSummary, Summary

_MM: Final = (1.0, 1.0, 1.0)
_REGION: Final = RegionSummary(
    volume_ml=3.1,
    peak=0.19,
    mean=0.07,
    peak_position_mm=(31.0, -12.5, 24.0),
    centroid_mm=(30.2, -11.9, 23.1),
)
_SCAN: Final = ScanSummary(
    shape=(256, 256, 192),
    spacing_mm=_MM,
    orientation="LPS",
    brain_ml=1450.0,
    brain_mask="extracted",
    position="dicom",
    n_images=192,
    transfer_syntaxes=("Explicit VR Little Endian",),
    brain_network="brain/3",
    modality=Guess(name="T1w", source="header", reason="an inversion recovery with a short TE"),
)
_PREPARATION: Final = PreparationRecord(
    orientation="LPS",
    spacing_mm=_MM,
    background=0.0,
    bias_field=None,
    tilt_deg=TiltRecord(pitch=4.0, roll=-1.5, yaw=0.5, angle=4.3),
    aligned=False,
    crop_start=(52, 31, 12),
    crop_shape=(148, 186, 150),
    model_spacing_mm=_MM,
    model_shape=(160, 192, 150),
    model_affine=(
        (1.0, 0.0, 0.0, -80.0),
        (0.0, 1.0, 0.0, -96.0),
        (0.0, 0.0, 1.0, -75.0),
        (0.0, 0.0, 0.0, 1.0),
    ),
    own_slices=True,
    interpolated=(),
    white=812.0,
)
_SUMMARY: Final = Summary(
    anomaly_score=0.026,
    max=0.19,
    mean=0.004,
    percentiles={"p50": 0.0006, "p90": 0.0035, "p95": 0.0059, "p99": 0.015, "p99.9": 0.037},
    threshold=0.045,
    threshold_source="calibration",
    healthy_percentile=99.5,
    volume_above_threshold_ml=3.2,
    share_above_threshold=0.0022,
    healthy_share_above_threshold=0.005,
    least_region_ml=0.05,
    n_regions=1,
    regions=(_REGION,),
    model=ModelSummary(name="t1w", version="5", sha256="31" * 32, modality="T1w", licence="Apache-2.0"),
    provider="CPUExecutionProvider",
    scan=_SCAN,
    preparation=_PREPARATION,
    settings=ScanSettings(severities=(0.6, 0.25), across_slices_mm=2.0),
    timings_s={"reading": 0.4, "restoring": 6.1, "total": 8.0},
)
SHORT_SUMMARY: Final[dict[str, Any]] = _SUMMARY.short()
"""As a job has it."""
SUMMARY: Final = {"summary": {"summary": "summary.json", "value": _SUMMARY.model_dump(mode="json")}}
"""As a file has it."""
