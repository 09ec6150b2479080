"""A job is stopped within every stage that may take long, and not only between them."""

from dataclasses import replace
from pathlib import Path

import pytest

from disyre.adapters.nifti_write import write_nifti
from disyre.errors import JobCanceled
from disyre.job_params import JobParams
from disyre.model_package import ModelPackage
from disyre.progress import Progress
from tests.dicom_phantom import encoded, make_series
from tests.disyre.test_brain_extraction import make_head
from tests.toy_brain import make_toy_brain
from tests.worker.scan_jobs import NIFTI, make_input, make_scan_job
from worker.onnx_brain import OnnxBrainNetwork
from worker.scan_scorer import ScanScorer


class StopWithin:
    """Stops a job the second time that something is said in a stage."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.said: list[str] = []

    def __call__(self, progress: Progress) -> None:
        self.said.append(progress.stage)
        if self.said.count(self.stage) == 2:
            raise JobCanceled


@pytest.mark.parametrize(
    "stage", ["reading", "finding-brain", "correcting-bias", "measuring-tilt", "restoring", "writing"]
)
def test_a_job_is_stopped_within_a_stage(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path, tmp_path: Path, stage: str
) -> None:
    head, _ = make_head()
    write_nifti(upload / "000001", head)
    network = OnnxBrainNetwork(make_toy_brain(tmp_path / "brains"), device="cpu", threads=1)
    job = make_scan_job(package, NIFTI, JobParams(bias_correction=True))
    stop = StopWithin(stage)

    with pytest.raises(JobCanceled):
        replace(scorer, brain_network=network, max_voxels=10**7)(job, results, stop)

    assert stop.said[-2:] == [stage, stage]


def test_a_job_is_stopped_between_two_files_of_a_series(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    images = encoded(make_series(8))
    for n, image in enumerate(images):
        (upload / f"{n:06d}").write_bytes(image)
    job = make_scan_job(package, make_input(*((f"{n:06d}", "dicom") for n in range(len(images)))))
    stop = StopWithin("reading")

    with pytest.raises(JobCanceled):
        scorer(job, results, stop)

    assert stop.said == ["reading", "reading"]
