"""Objects for tests: valid by default, so that a test says only what matters to it."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from disyre.job import Job
from disyre.job_input import InputFile, JobInput
from disyre.job_model import JobModel
from disyre.job_params import JobParams
from disyre.model_manifest import Calibration, ModelManifest, ScanSettings, TrainingData
from disyre.preparation_record import PreparationRecord
from disyre.types import Affine
from disyre.volume import Volume

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
JOB_ID = "019b7a00-0000-7000-8000-000000000001"


def make_volume(shape: tuple[int, int, int] = (40, 48, 36), affine: Affine | None = None) -> Volume:
    """A skull-stripped ellipsoid with structure inside and 0 around it."""
    axes = [np.linspace(-1, 1, n) for n in shape]
    i, j, k = np.meshgrid(*axes, indexing="ij")
    inside = (i**2 + j**2 + k**2) < 0.8**2
    voxels = np.where(inside, 100 + 40 * np.sin(4 * i) + 30 * np.cos(5 * j) * k, 0).astype(np.float32)
    return Volume(voxels, np.eye(4) if affine is None else affine)


def make_settings(**changes: Any) -> ScanSettings:
    """Settings of an ensemble over two severities."""
    return ScanSettings.model_validate({"severities": (0.8, 0.2), **changes})


def make_manifest(**changes: Any) -> ModelManifest:
    """The manifest of a model that nobody has trained."""
    facts: dict[str, Any] = {
        "name": "toy",
        "version": "1",
        "modality": "T1w",
        "created_at": NOON,
        "sha256": "0" * 64,
        "n_parameters": 1,
        "gflop_per_patch": 0.001,
        "scan": make_settings(),
        "calibration": Calibration(threshold=0.1, healthy_percentile=99.5, n_scans=1),
        "training_data": (TrainingData(name="phantom", n_scans=1, licence="CC0-1.0"),),
        "licence": "CC0-1.0",
        "intended_use": "Tests.",
    }
    return ModelManifest.model_validate({**facts, **changes})


def make_job(job_id: str = JOB_ID, **params: Any) -> Job:
    """A job that has just been submitted."""
    file = InputFile(name="000001", format="nifti-gz", sha256="1" * 64, size_bytes=1000)
    return Job.submit(
        job_id,
        model=JobModel(name="toy", version="1", sha256="0" * 64),
        input=JobInput(files=(file,)),
        params=JobParams(model="toy", **params),
        at=NOON,
    )


def make_record(volume: Volume, **changes: Any) -> PreparationRecord:
    """What was done to a scan that needed next to nothing."""
    facts = {
        "orientation": volume.orientation,
        "spacing_mm": volume.spacing_mm,
        "background": 0.0,
        "bias_field": None,
        "tilt_deg": None,
        "aligned": False,
        "crop_start": (0, 0, 0),
        "crop_shape": volume.shape,
        "model_spacing_mm": volume.spacing_mm,
        "model_shape": volume.shape,
        "model_affine": tuple(map(tuple, np.eye(4).tolist())),
        "own_slices": True,
        "interpolated": (),
        "white": 1.0,
    }
    return PreparationRecord.model_validate({**facts, **changes})
