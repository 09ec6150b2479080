"""From uploaded files to results, with a toy network in a real session."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import get_args

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from scipy.spatial.transform import Rotation

from disyre.adapters.nifti import read_nifti
from disyre.adapters.nifti_write import write_nifti
from disyre.job_params import JobParams
from disyre.model_package import ModelPackage
from disyre.progress import Progress, Stage
from disyre.summary_record import Summary
from disyre.types import Affine
from disyre.volume import Volume
from tests.builders import make_volume
from tests.disyre.test_brain_extraction import make_head
from tests.toy_brain import make_toy_brain
from tests.worker.scan_jobs import NIFTI, make_input, make_scan_job, score
from worker.onnx_brain import OnnxBrainNetwork
from worker.scan_scorer import ScanScorer

EXAMPLE = Path(__file__).parents[2] / "examples" / "t1w.nii.gz"
OBLIQUE: Affine = np.array([[0, -1, 0.1, 5], [-1.2, 0, 0, 90], [0, 0.1, 1, -40], [0, 0, 0, 1.0]])


def test_a_scan_gives_six_files_on_its_own_grid(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    scan = make_volume(affine=OBLIQUE)
    write_nifti(upload / "000001", scan)

    outcome = score(scorer, make_scan_job(package, NIFTI), results)

    assert [artifact.name for artifact in outcome.artifacts] == [
        "anomaly.nii.gz",
        "scan.nii.gz",
        "restored.nii.gz",
        "mask.nii.gz",
        "preview.png",
        "summary.json",
    ]
    for name, dtype in (
        *(("anomaly", np.float32), ("scan", np.float32), ("restored", np.float32), ("mask", np.uint8)),
    ):
        image = nib.Nifti1Image.from_filename(results / f"{name}.nii.gz")
        assert image.shape == scan.shape
        np.testing.assert_allclose(image.affine, OBLIQUE, atol=1e-5)
        assert image.get_data_dtype() == dtype


@pytest.mark.parametrize(
    ("largest", "dtype"), [(32767, np.int16), (32768, np.float32)], ids=["as counted", "more"]
)
def test_the_scan_comes_back_exactly_as_it_was_read(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path, largest: int, dtype: type
) -> None:
    scan = make_volume(affine=OBLIQUE)
    counted = scan.with_voxels(np.round(scan.voxels * (largest / scan.voxels.max())).astype(np.float32))
    write_nifti(upload / "000001", counted)

    score(scorer, make_scan_job(package, NIFTI), results)

    image = nib.Nifti1Image.from_filename(results / "scan.nii.gz")
    assert image.get_data_dtype() == dtype
    np.testing.assert_array_equal(image.get_fdata(), counted.voxels)


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
    assert tuple(dict.fromkeys(progress.stage for progress in seen)) == get_args(Stage)


def test_when_a_job_ends_is_known_from_its_beginning_once_one_like_it_has_succeeded(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    write_nifti(upload / "000001", make_volume())
    seen: list[Progress] = []

    first = score(scorer, make_scan_job(package, NIFTI), results)
    scorer(make_scan_job(package, NIFTI), results, seen.append)

    took_s = sum(s for stage, s in first.timings_s.items() if stage in get_args(Stage))
    assert seen[0].eta_s == pytest.approx(took_s, abs=0.06)  # of which none is known better than 0.1 s
    assert None not in [progress.eta_s for progress in seen]


def test_a_given_mask_is_the_brain(
    scorer: ScanScorer, package: ModelPackage, upload: Path, results: Path
) -> None:
    scan = make_volume()
    mask = np.zeros(scan.shape, dtype=np.float32)
    mask[10:32, 10:32, 10:32] = 1
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
