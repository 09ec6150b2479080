"""From uploaded files to results, with a toy network in a real session."""

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from scipy.spatial.transform import Rotation

from disyre.adapters.artifact_store import FolderArtifactStore
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.nifti import read_nifti
from disyre.adapters.nifti_write import write_nifti
from disyre.errors import (
    ArtifactNotFound,
    InvalidInput,
    MaskMismatch,
    MultipleVolumes,
    TooLarge,
    UnknownModel,
)
from disyre.job import InputFile, Job, JobInput, JobModel
from disyre.job_params import JobParams
from disyre.media import MediaFormat
from disyre.model_package import ModelPackage, ModelShelf
from disyre.progress import Progress
from disyre.summary import Summary
from disyre.types import Affine
from disyre.volume import Volume
from tests.builders import NOON, make_volume
from tests.dicom_phantom import encoded, make_series
from tests.disyre.test_brain_extraction import make_head
from tests.nifti_files import nifti_bytes
from tests.toy_brain import make_toy_brain
from tests.toy_model import make_toy_model
from worker.chooser import Chooser
from worker.onnx_brain import OnnxBrainNetwork
from worker.onnx_restorer import OnnxRestorer
from worker.restorers import Restorers
from worker.scan_scorer import ScanScorer
from worker.tasks import Outcome

EXAMPLE = Path(__file__).parents[2] / "examples" / "t1w.nii.gz"
JOB_ID = "019b7a00-0000-7000-8000-000000000001"
OBLIQUE: Affine = np.array([[0, -1, 0.1, 5], [-1.2, 0, 0, 90], [0, 0.1, 1, -40], [0, 0, 0, 1.0]])


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    return make_toy_model(tmp_path / "models")


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """The folder that holds a job's input."""
    folder = tmp_path / "data" / "jobs" / JOB_ID / "input"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def scorer(tmp_path: Path, package: ModelPackage) -> ScanScorer:
    restorers = Restorers(
        ModelShelf(tmp_path / "models"),
        lambda package: OnnxRestorer(package, device="cpu", threads=1),
        most=1,
    )
    artifacts = FolderArtifactStore(tmp_path / "data")
    chooser = Chooser(ModelShelf(tmp_path / "models"), default="t1w")
    return ScanScorer(artifacts, restorers, batch_size=8, max_voxels=250_000, chooser=chooser)


def make_input(*files: tuple[str, MediaFormat], mask: str | None = None) -> JobInput:
    def uploaded(name: str, kind: MediaFormat) -> InputFile:
        return InputFile(name=name, format=kind, sha256="0" * 64, size_bytes=1)

    return JobInput(
        files=tuple(uploaded(*file) for file in files), mask=uploaded(mask, "nifti-gz") if mask else None
    )


def make_scan_job(package: ModelPackage, job_input: JobInput, params: JobParams | None = None) -> Job:
    model = JobModel(name="t1w", version="1", sha256=package.manifest.sha256)
    return Job.submit(JOB_ID, model=model, input=job_input, params=params or JobParams(), at=NOON)


NIFTI = make_input(("000001", "nifti-gz"))


def score(scorer: ScanScorer, job: Job, results: Path) -> Outcome:
    return scorer(job, results, lambda progress: None)


def test_a_scan_gives_five_files_on_its_own_grid(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    scan = make_volume(affine=OBLIQUE)
    write_nifti(upload / "000001", scan)

    outcome = score(scorer, make_scan_job(package, NIFTI), results)

    assert [artifact.name for artifact in outcome.artifacts] == [
        "anomaly.nii.gz",
        "restored.nii.gz",
        "mask.nii.gz",
        "preview.png",
        "summary.json",
    ]
    for name, dtype in (("anomaly", np.float32), ("restored", np.float32), ("mask", np.uint8)):
        image = nib.Nifti1Image.from_filename(results / f"{name}.nii.gz")
        assert image.shape == scan.shape
        np.testing.assert_allclose(image.affine, OBLIQUE, atol=1e-5)
        assert image.get_data_dtype() == dtype


def test_the_map_and_the_restored_scan_are_what_the_network_made(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    scan = make_volume()
    write_nifti(upload / "000001", scan)

    score(scorer, make_scan_job(package, NIFTI), results)

    brain = nib.Nifti1Image.from_filename(results / "mask.nii.gz").get_fdata() > 0
    white = np.percentile(scan.voxels[brain], 99)
    expected = np.clip(scan.voxels / white, 0, 1) / 2  # the toy restores half of what it sees
    np.testing.assert_array_equal(brain, scan.voxels != 0)
    anomaly_map = nib.Nifti1Image.from_filename(results / "anomaly.nii.gz").get_fdata()
    np.testing.assert_allclose(anomaly_map[brain], expected[brain], atol=1e-5)
    assert not anomaly_map[~brain].any()
    restored = nib.Nifti1Image.from_filename(results / "restored.nii.gz").get_fdata()
    np.testing.assert_allclose(restored[brain], (scan.voxels - white * expected)[brain], rtol=1e-4)


def test_the_summary_says_what_was_found_and_how(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    write_nifti(upload / "000001", make_volume())

    outcome = score(scorer, make_scan_job(package, NIFTI), results)

    summary = Summary.model_validate_json((results / "summary.json").read_bytes())
    assert summary.provider == outcome.provider == "CPUExecutionProvider"
    assert summary.model.sha256 == package.manifest.sha256
    assert summary.scan.brain_mask == "skull-stripped"
    assert set(summary.timings_s) >= {"reading", "preparing", "restoring", "scoring", "writing"}
    assert outcome.summary == summary.short()
    assert summary.anomaly_score == pytest.approx(0.5, abs=0.01)


def test_the_preview_is_a_picture(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    write_nifti(upload / "000001", make_volume())

    score(scorer, make_scan_job(package, NIFTI), results)

    with Image.open(results / "preview.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 400


def test_artifacts_are_described_by_their_bytes(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    write_nifti(upload / "000001", make_volume())

    outcome = score(scorer, make_scan_job(package, NIFTI), results)

    for artifact in outcome.artifacts:
        content = (results / artifact.name).read_bytes()
        assert artifact.size_bytes == len(content)
        assert artifact.sha256 == hashlib.sha256(content).hexdigest()


def test_progress_goes_from_0_towards_1_through_all_stages(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    write_nifti(upload / "000001", make_volume())
    seen: list[Progress] = []

    scorer(make_scan_job(package, NIFTI, JobParams(bias_correction=True)), results, seen.append)

    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert list(dict.fromkeys(progress.stage for progress in seen)) == [
        "reading",
        "finding-brain",
        "correcting-bias",
        "measuring-tilt",
        "preparing",
        "restoring",
        "scoring",
        "writing",
    ]


def test_a_given_mask_is_the_brain(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    scan = make_volume()
    mask = np.zeros(scan.shape, dtype=np.float32)
    mask[10:30, 10:30, 10:30] = 1
    write_nifti(upload / "000001", scan.with_voxels(scan.voxels + 5))  # no background of one value
    write_nifti(upload / "mask", scan.with_voxels(mask), dtype=np.uint8)

    job_input = make_input(("000001", "nifti-gz"), mask="mask")
    score(scorer, make_scan_job(package, job_input), results)

    np.testing.assert_array_equal(nib.Nifti1Image.from_filename(results / "mask.nii.gz").get_fdata(), mask)
    summary = Summary.model_validate_json((results / "summary.json").read_bytes())
    assert summary.scan.brain_mask == "given"


@pytest.mark.parametrize("background", [-100.0, -1000.0])
def test_a_stripped_scan_that_is_padded_below_0_is_scored_as_with_0(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path, background: float
) -> None:
    scan = make_volume()
    maps = []
    for value in (0.0, background):
        padded = np.where(scan.voxels > 0, scan.voxels, value).astype(np.float32)
        write_nifti(upload / "000001", scan.with_voxels(padded))
        score(scorer, make_scan_job(package, NIFTI), results)
        maps.append(nib.Nifti1Image.from_filename(results / "anomaly.nii.gz").get_fdata())

    np.testing.assert_array_equal(maps[1], maps[0])
    summary = Summary.model_validate_json((results / "summary.json").read_bytes())
    assert summary.scan.padding == background
    assert any(f"background is {background:g}, below 0" in warning for warning in summary.warnings)


def test_the_parity_preset_scores_as_the_reference_does(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    write_nifti(upload / "000001", make_volume())

    score(scorer, make_scan_job(package, NIFTI, JobParams(preset="parity")), results)

    summary = Summary.model_validate_json((results / "summary.json").read_bytes())
    assert summary.settings.foreground_weight
    assert summary.settings.windows is not None


def test_both_steps_of_the_preparation_are_in_the_summary(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    scan = read_nifti(EXAMPLE)
    turn = Rotation.from_euler("xyz", (-30, 10, 0), degrees=True).as_matrix()
    there = scan.affine[:3, :3] @ np.diag(2 / np.array(scan.spacing_mm))  # voxels of 2 mm
    affine = np.eye(4)
    affine[:3, :3] = turn.T @ there
    centre = scan.affine @ [*(np.array(scan.shape) / 2), 1]
    affine[:3, 3] = centre[:3] - affine[:3, :3] @ np.full(3, 55)
    to_index = np.linalg.inv(scan.affine) @ affine
    tilted = ndimage.affine_transform(
        scan.voxels, to_index[:3, :3], to_index[:3, 3], output_shape=(111,) * 3, order=1
    )
    write_nifti(upload / "000001", Volume(tilted, affine))
    params = JobParams(bias_correction=True, align=True)

    scorer = replace(scorer, max_voxels=12 * 10**6)
    score(scorer, make_scan_job(package, NIFTI, params), results)

    summary = Summary.model_validate_json((results / "summary.json").read_bytes())
    assert summary.preparation.aligned
    assert summary.preparation.tilt_deg is not None
    assert summary.preparation.tilt_deg.angle == pytest.approx(
        31.6, abs=8
    )  # the example itself lies a little askew
    assert summary.preparation.bias_field is not None
    assert summary.bias_correction is not None
    assert summary.bias_correction.iterations == (200, 200, 200)
    assert set(summary.timings_s) >= {"correcting-bias", "measuring-tilt"}
    image = nib.Nifti1Image.from_filename(results / "anomaly.nii.gz")
    assert image.shape == (111, 111, 111)
    np.testing.assert_allclose(image.affine, affine, atol=1e-4)


SERIES = encoded(make_series(12, shape=(40, 48)))


def put_files(upload: Path) -> JobInput:
    for number, content in enumerate(SERIES):
        (upload / f"{number:06}").write_bytes(content)
    return make_input(*((path.name, "dicom") for path in sorted(upload.iterdir())), mask="mask")


def put_zip(upload: Path) -> JobInput:
    with zipfile.ZipFile(upload / "000001", "w") as archive:
        for number, content in enumerate(SERIES):
            archive.writestr(f"{number}.dcm", content)
    return make_input(("000001", "zip"), mask="mask")


def put_files_of_other_kinds(upload: Path) -> JobInput:
    images = put_files(upload)
    (upload / "000100").write_bytes(b"a note")
    return make_input(*((file.name, file.format) for file in images.files), ("000100", "other"), mask="mask")


@pytest.mark.parametrize("put", [put_files, put_zip, put_files_of_other_kinds])
def test_a_dicom_series_is_scored_on_its_own_grid(
    scorer: ScanScorer,
    package: ModelPackage,
    upload: Path,
    results: Path,
    put: Callable[[Path], JobInput],
) -> None:
    scan = read_dicom(SERIES)
    job_input = put(upload)
    write_nifti(upload / "mask", scan.with_voxels(np.ones_like(scan.voxels)), dtype=np.uint8)

    score(scorer, make_scan_job(package, job_input), results)

    image = nib.Nifti1Image.from_filename(results / "anomaly.nii.gz")
    assert image.shape == scan.shape == (40, 48, 12)
    np.testing.assert_allclose(image.affine, scan.affine, atol=1e-4)
    assert (image.get_fdata() > 0).all()
    summary = Summary.model_validate_json((results / "summary.json").read_bytes())
    left_out = [warning for warning in summary.warnings if "left out" in warning]
    assert (summary.scan.position, summary.scan.padding) == ("dicom", None)
    assert left_out == (["1 file left out, as not DICOM"] if put is put_files_of_other_kinds else [])


def test_an_archive_with_dicom_and_nifti_is_refused_and_not_half_read(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    with zipfile.ZipFile(upload / "000001", "w") as archive:
        archive.writestr("scan.nii", nifti_bytes(make_volume().voxels))
        archive.writestr("image.dcm", SERIES[0])

    with pytest.raises(MultipleVolumes, match="got both"):
        score(scorer, make_scan_job(package, make_input(("000001", "zip"))), results)


@pytest.mark.parametrize(
    ("job_input", "error"),
    [
        (make_input(("000001", "nifti-gz"), ("000002", "nifti-gz")), MultipleVolumes),
        (make_input(("000001", "nifti-gz"), ("000002", "dicom")), MultipleVolumes),
        (make_input(("000001", "nifti-gz"), mask="000003"), MaskMismatch),
        (make_input(("000002", "nifti-gz")), TooLarge),
        (make_input(("000004", "nifti-gz")), TooLarge),
        (make_input(("000005", "nifti-gz")), ArtifactNotFound),
    ],
)
def test_input_that_cannot_be_scored_is_refused(
    scorer: ScanScorer,
    package: ModelPackage,
    upload: Path,
    results: Path,
    job_input: JobInput,
    error: type[InvalidInput],
) -> None:
    write_nifti(upload / "000001", make_volume())
    write_nifti(upload / "000002", make_volume((70, 70, 70)))
    write_nifti(upload / "000003", make_volume((40, 48, 35)))
    write_nifti(upload / "000004", make_volume((20, 20, 20), np.diag([5.0, 5.0, 5.0, 1.0])))

    with pytest.raises(error):
        score(scorer, make_scan_job(package, job_input), results)

    assert list(results.iterdir()) == []


def test_a_model_that_was_removed_is_unknown(
    scorer: ScanScorer, upload: Path, results: Path, package: ModelPackage
) -> None:
    job = make_scan_job(package, NIFTI)
    gone = job.model_copy(update={"model": JobModel(name="t1w", version="2", sha256="0" * 64)})

    with pytest.raises(UnknownModel):
        score(scorer, gone, results)


def test_of_several_volumes_in_a_zipped_nifti_the_one_that_is_asked_for_is_scored(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    scan = make_volume()
    both = np.stack([np.zeros_like(scan.voxels), scan.voxels], axis=3)
    with zipfile.ZipFile(upload / "000001", "w") as archive:
        archive.writestr("scan.nii", nifti_bytes(both, scan.affine))

    job = make_scan_job(package, make_input(("000001", "zip")), JobParams(volume_index=1))
    scorer(job, results, lambda progress: None)

    np.testing.assert_array_equal(
        nib.Nifti1Image.from_filename(results / "mask.nii.gz").get_fdata() > 0, scan.voxels > 0
    )
    summary = Summary.model_validate_json((results / "summary.json").read_bytes())
    assert (summary.scan.position, summary.scan.volume_index) == ("sform", 1)


def test_the_brain_of_a_head_is_found_and_the_summary_says_by_what(
    tmp_path: Path, package: ModelPackage, upload: Path, results: Path, scorer: ScanScorer
) -> None:
    head, inside = make_head()
    write_nifti(upload / "000001", head)
    network = OnnxBrainNetwork(make_toy_brain(tmp_path / "models"), device="cpu", threads=1)

    replace(scorer, brain_network=network, max_voxels=10**7)(
        make_scan_job(package, NIFTI), results, lambda progress: None
    )

    summary = Summary.model_validate_json((results / "summary.json").read_bytes())
    assert (summary.scan.brain_mask, summary.scan.brain_network) == ("extracted", "brain/1")
    assert summary.scan.brain_certainty is not None
    assert summary.scan.brain_certainty.mean > 0.99
    assert (summary.scan.position, summary.scan.volume_index) == ("sform", None)
    found = nib.Nifti1Image.from_filename(results / "mask.nii.gz").get_fdata() > 0
    assert 2 * (found & inside).sum() / (found.sum() + inside.sum()) > 0.9
