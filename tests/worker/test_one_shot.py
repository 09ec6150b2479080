"""One scan from files to files gives what a job gives."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.nifti_write import write_nifti
from disyre.client import Client, Refused
from disyre.errors import (
    DisyreError,
    EmptyUpload,
    InvalidParams,
    MaskMismatch,
    Misconfigured,
    MultipleVolumes,
    NoModelForModality,
    NotAnImage,
    UnknownModel,
)
from disyre.job_params import JobParams
from disyre.model_package import ModelPackage
from disyre.progress import Progress
from tests.builders import make_volume
from tests.dicom_phantom import encoded, make_series
from tests.nifti_files import nifti_bytes
from tests.service.live_api import live_api
from tests.toy_model import make_toy_model
from tests.worker.scan_jobs import NIFTI, make_scan_job, score
from worker.one_shot import score_files
from worker.scan_scorer import ScanScorer
from worker.settings import WorkerSettings
from worker.tasks import Outcome


def run(tmp_path: Path, files: Sequence[Path], mask: Path | None = None, **options: Any) -> Outcome:
    settings = WorkerSettings(models_dir=tmp_path / "models", threads=1, max_voxels=250_000)
    return score_files(
        files, tmp_path / "out", options, mask=mask, settings=settings, on_progress=lambda progress: None
    )


def without_timings(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    assert summary.pop("timings_s")
    return summary


@pytest.mark.parametrize("options", [{"model": "t1w"}, {"threshold": 0.1, "severities": [0.4]}])
def test_the_results_are_those_of_a_job(
    scorer: ScanScorer,
    package: ModelPackage,
    upload: Path,
    results: Path,
    tmp_path: Path,
    options: dict[str, Any],
) -> None:
    write_nifti(upload / "000001", make_volume())
    scan = tmp_path / "scan.nii.gz"
    scan.write_bytes((upload / "000001").read_bytes())

    of_job = score(scorer, make_scan_job(package, NIFTI, JobParams(**options)), results)
    outcome = run(tmp_path, [scan], model="t1w", **{k: v for k, v in options.items() if k != "model"})

    assert [artifact.name for artifact in outcome.artifacts] == [each.name for each in of_job.artifacts]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {each.name for each in of_job.artifacts}
    for name in ("anomaly.nii.gz", "scan.nii.gz", "restored.nii.gz", "mask.nii.gz"):
        assert (tmp_path / "out" / name).read_bytes() == (results / name).read_bytes()
    assert without_timings(tmp_path / "out")["anomaly_score"] == without_timings(results)["anomaly_score"]


def test_a_series_of_dicom_files_is_scored_with_its_mask_and_recognised_by_its_headers_into_dicom(
    package: ModelPackage, tmp_path: Path
) -> None:
    t1w: dict[str, Any] = {"ScanningSequence": "SE", "RepetitionTime": 600, "EchoTime": 12}
    images = encoded(make_series(12, shape=(40, 48), **t1w))
    files = [tmp_path / f"IM{number:02}" for number in range(len(images))]
    for file, content in zip(files, images, strict=True):
        file.write_bytes(content)
    (tmp_path / "task.json").write_text("{}")
    scan = read_dicom(images)
    write_nifti(tmp_path / "mask.nii", scan.with_voxels(np.ones_like(scan.voxels)), dtype=np.uint8)

    run(tmp_path, [tmp_path / "task.json", *files], tmp_path / "mask.nii")

    summary = without_timings(tmp_path / "out")
    assert (summary["scan"]["n_images"], summary["scan"]["brain_mask"]) == (12, "given")
    assert (summary["scan"]["modality"]["name"], summary["scan"]["modality"]["source"]) == ("T1w", "header")
    assert "1 file left out, as not DICOM" in summary["warnings"]
    first = {name: pydicom.dcmread(tmp_path / "out" / name) for name in ("pm.dcm", "seg.dcm", "sr.dcm")}
    assert (tmp_path / "out" / "sc.zip").exists()

    run(tmp_path, [tmp_path / "task.json", *files], tmp_path / "mask.nii")

    for name, result in first.items():
        again = pydicom.dcmread(tmp_path / "out" / name)
        assert (again.SeriesInstanceUID, again.SOPInstanceUID) == (
            result.SeriesInstanceUID,
            result.SOPInstanceUID,
        )


def test_progress_is_told(package: ModelPackage, tmp_path: Path) -> None:
    scan = tmp_path / "scan.nii"
    write_nifti(scan, make_volume())
    told: list[Progress] = []

    settings = WorkerSettings(models_dir=tmp_path / "models", threads=1)
    score_files([scan], tmp_path / "out", {}, settings=settings, on_progress=told.append)

    assert (told[0].stage, told[-1].stage) == ("reading", "writing")


def test_results_of_an_earlier_scan_are_replaced(package: ModelPackage, tmp_path: Path) -> None:
    scan = tmp_path / "scan.nii"
    write_nifti(scan, make_volume())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").write_text("old")

    run(tmp_path, [scan])

    assert without_timings(tmp_path / "out")


SCAN = nifti_bytes(make_volume().voxels)
REFUSED: dict[str, tuple[list[bytes], dict[str, Any], type[DisyreError]]] = {
    "an odd file": ([b"odd"], {}, NotAnImage),
    "an empty one": ([b""], {}, EmptyUpload),
    "two scans": ([SCAN, SCAN], {}, MultipleVolumes),
    "a file beside a scan": ([SCAN, b"{}"], {}, NotAnImage),
    "an unknown option": ([SCAN], {"modell": "t1w"}, InvalidParams),
    "an option of DICOM": ([SCAN], {"series_uid": "1.2"}, InvalidParams),
    "an unknown model": ([SCAN], {"model": "t9w"}, UnknownModel),
    "a modality without a model": ([SCAN], {"modality": "FLAIR"}, NoModelForModality),
    "options that do not fit": ([SCAN], {"preset": "parity", "severities": [0.5]}, InvalidParams),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_service_refuses_is_refused_in_the_same_words_and_leaves_nothing(
    package: ModelPackage, tmp_path: Path, case: str
) -> None:
    contents, options, kind = REFUSED[case]
    files = [tmp_path / str(number) for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    labels = {"sent": "as a form"}
    with (
        live_api(tmp_path) as api,
        Client(str(api.client.base_url)) as client,
        pytest.raises(Refused) as told,
    ):
        client.submit(files, labels=labels, **options)

    with pytest.raises(kind) as raised:
        run(tmp_path, files, **options)

    assert type(raised.value) is kind
    assert (raised.value.code, str(raised.value)) == (told.value.problem.code, told.value.problem.detail)
    assert not (tmp_path / "out").exists()


def test_a_scan_that_is_refused_while_it_is_scored_leaves_no_file(
    package: ModelPackage, tmp_path: Path
) -> None:
    scan = tmp_path / "scan.nii"
    flat = make_volume()
    write_nifti(scan, flat.with_voxels(flat.voxels * 0))

    with pytest.raises(DisyreError):
        run(tmp_path, [scan])

    assert not any((tmp_path / "out").iterdir())


def test_a_mask_that_is_none_is_refused(package: ModelPackage, tmp_path: Path) -> None:
    scan, mask = tmp_path / "scan.nii", tmp_path / "mask.nii"
    write_nifti(scan, make_volume())
    write_nifti(mask, make_volume((20, 20, 20)))

    with pytest.raises(MaskMismatch):
        run(tmp_path, [scan], mask)


def test_without_a_model_nothing_is_read(tmp_path: Path) -> None:
    make_toy_model(tmp_path / "models", name="other")

    with pytest.raises(Misconfigured, match="there is no model 't1w'"):
        run(tmp_path, [tmp_path / "none.nii"])
