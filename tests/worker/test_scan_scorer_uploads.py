"""What a job may upload: files of either format, archives, and what is refused."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import highdicom
import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.nifti_write import write_nifti
from disyre.errors import (
    ArtifactNotFound,
    InvalidInput,
    InvalidParams,
    MaskMismatch,
    MultipleVolumes,
    TooLarge,
)
from disyre.job_input import JobInput
from disyre.job_model import JobModel
from disyre.job_params import JobParams
from disyre.model_package import ModelPackage
from disyre.outputs import Output
from disyre.scan_facts import ScanFacts
from disyre.summary_record import Summary
from tests.builders import NOON, make_volume
from tests.dicom_phantom import encoded, make_series
from tests.nifti_files import nifti_bytes
from tests.worker.scan_jobs import NIFTI, make_input, make_scan_job, score
from worker.scan_scorer import ScanScorer
from worker.tasks import NotHeld

STUDY_UID = "1.2.840.99"
SERIES = encoded(make_series(12, shape=(40, 48), StudyInstanceUID=STUDY_UID))


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

    told: list[ScanFacts] = []

    scorer(make_scan_job(package, job_input), results, lambda progress: None, on_scan=told.append)

    image = nib.Nifti1Image.from_filename(results / "anomaly.nii.gz")
    assert image.shape == scan.shape == (40, 48, 12)
    np.testing.assert_allclose(image.affine, scan.affine, atol=1e-4)
    assert (image.get_fdata() > 0).all()
    summary = Summary.model_validate_json((results / "summary.json").read_bytes())
    left_out = [warning for warning in summary.warnings if "left out" in warning]
    assert (summary.scan.position, summary.scan.padding) == ("dicom", None)
    assert left_out == (["1 file left out, as not DICOM"] if put is put_files_of_other_kinds else [])
    assert told == [ScanFacts.of(scan, tuple(left_out))]


RESULTS_AS_DICOM = {
    "pm.dcm": ("parametric-map", "application/dicom"),
    "seg.dcm": ("segmentation", "application/dicom"),
    "sc.zip": ("secondary-capture", "application/zip"),
    "sr.dcm": ("structured-report", "application/dicom"),
}


def put_series(upload: Path) -> JobInput:
    scan = read_dicom(SERIES)
    write_nifti(upload / "mask", scan.with_voxels(np.ones_like(scan.voxels)), dtype=np.uint8)
    return put_zip(upload)


def test_a_dicom_series_has_its_results_as_dicom_too_and_the_same_uids_in_another_attempt(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path, tmp_path: Path
) -> None:
    job = make_scan_job(package, put_series(upload))
    (tmp_path / "again").mkdir()

    outcome = score(scorer, job, results)
    score(scorer, job.start(at=NOON).lose_worker(at=NOON).start(at=NOON), tmp_path / "again")

    kinds = {each.name: (each.kind, each.media_type) for each in outcome.artifacts}
    assert len(kinds) == 10
    assert {name: kinds[name] for name in RESULTS_AS_DICOM} == RESULTS_AS_DICOM
    for name in ("pm.dcm", "seg.dcm", "sr.dcm"):
        first, second = (pydicom.dcmread(folder / name) for folder in (results, tmp_path / "again"))
        assert first.StudyInstanceUID == STUDY_UID
        for uid in ("SeriesInstanceUID", "SOPInstanceUID"):
            assert first[uid] == second[uid]
    read = highdicom.imread(results / "pm.dcm").get_volume()
    map_ = nib.Nifti1Image.from_filename(results / "anomaly.nii.gz")
    at = nib.affines.apply_affine(
        np.linalg.inv(map_.affine) @ np.diag([-1, -1, 1, 1]) @ read.affine,
        np.moveaxis(np.indices(read.array.shape), 0, -1),
    )
    values = np.asarray(map_.dataobj)[tuple(np.moveaxis(np.round(at).astype(int), -1, 0))]
    assert np.array_equal(read.array, values)


def test_results_as_dicom_are_of_the_time_of_the_job_and_a_name_that_cannot_be_read_is_warned_of(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    images = make_series(12, shape=(40, 48))
    for image in images:
        image[Tag("PatientName")] = RawDataElement(Tag("PatientName"), "PN", 4, b"J\xf6rg", 0, False, True)
    scan = read_dicom(encoded(images))
    for number, content in enumerate(encoded(images)):
        (upload / f"{number:06}").write_bytes(content)
    job_input = make_input(*((path.name, "dicom") for path in sorted(upload.iterdir())), mask="mask")
    write_nifti(upload / "mask", scan.with_voxels(np.ones_like(scan.voxels)), dtype=np.uint8)

    score(scorer, make_scan_job(package, job_input, JobParams(outputs=("pm",))), results)

    read = pydicom.dcmread(results / "pm.dcm")
    at = NOON.astimezone()
    assert (read.SeriesDate, read.SeriesTime) == (f"{at:%Y%m%d}", f"{at:%H%M%S.%f}")
    assert not read.PatientName
    summary = Summary.model_validate_json((results / "summary.json").read_bytes())
    assert [each for each in summary.warnings if "letters of PatientName" in each]

    for path in results.iterdir():
        path.unlink()
    score(scorer, make_scan_job(package, job_input, JobParams(outputs=("nifti",))), results)
    summary = Summary.model_validate_json((results / "summary.json").read_bytes())
    assert not [each for each in summary.warnings if "PatientName" in each]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (("nifti",), {"anomaly.nii.gz"}),
        (("mask", "png"), {"mask.nii.gz", "preview.png"}),
        (("restored",), {"restored.nii.gz"}),
        (("seg",), {"seg.dcm"}),
        (("sr",), {"pm.dcm", "seg.dcm", "sr.dcm"}),
        (("sc",), {"sc.zip"}),
    ],
)
def test_a_job_gives_what_was_asked_for_and_the_summary(
    scorer: ScanScorer,
    package: ModelPackage,
    upload: Path,
    results: Path,
    asked: tuple[Output, ...],
    names: set[str],
) -> None:
    job = make_scan_job(package, put_series(upload), JobParams(outputs=asked))

    outcome = score(scorer, job, results)

    assert {each.name for each in outcome.artifacts} == {path.name for path in results.iterdir()}
    assert {each.name for each in outcome.artifacts} == names | {"summary.json"}


def test_results_as_dicom_of_a_nifti_are_refused(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    write_nifti(upload / "000001", make_volume())

    with pytest.raises(InvalidParams, match=r"got pm, seg: results as DICOM belong to a study"):
        score(scorer, make_scan_job(package, NIFTI, JobParams(outputs=("pm", "seg", "nifti"))), results)


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


def test_a_job_whose_model_was_removed_is_for_another_worker(
    scorer: ScanScorer, upload: Path, results: Path, package: ModelPackage
) -> None:
    job = make_scan_job(package, NIFTI)
    gone = job.model_copy(update={"model": JobModel(name="t1w", version="2", sha256="0" * 64)})

    with pytest.raises(NotHeld):
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
