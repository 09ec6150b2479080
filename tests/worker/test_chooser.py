"""Which model a worker takes for a scan that it has looked at, and what the job and the summary say of it."""

from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from scipy import ndimage

from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.nifti_write import write_nifti
from disyre.adapters.worker_registry import HeldModel, WorkerInfo
from disyre.errors import NoModelForModality, Unavailable, UnknownModel
from disyre.job import Job
from disyre.job_model import Choice, JobModel
from disyre.job_params import JobParams
from disyre.modality import Guess, Modality
from disyre.model_package import ModelPackage
from disyre.model_shelf import ModelShelf
from disyre.summary_record import Summary
from tests.builders import NOON
from tests.real_brain import make_real_brain
from tests.toy_model import make_toy_model
from tests.worker.scan_jobs import JOB_ID, NIFTI
from worker.chooser import Chooser
from worker.holdings import Holdings
from worker.onnx_restorer import OnnxRestorer
from worker.restorers import Restorers
from worker.scan_scorer import ScanScorer
from worker.tasks import Outcome

HEADER_T2W = Guess(name="T2w", source="header", reason="spin echo")


@pytest.fixture
def models(tmp_path: Path) -> dict[str, ModelPackage]:
    folder = tmp_path / "models"
    return {
        "t1w": make_toy_model(folder),
        "t2w": make_toy_model(folder, name="t2w", modality="T2w"),
    }


def model_of(package: ModelPackage) -> JobModel:
    return JobModel.of(package.manifest)


def make_scan_job(**facts: Any) -> Job:
    known: dict[str, Any] = {"model": None, "params": JobParams(), **facts}
    return Job.submit(JOB_ID, input=NIFTI, at=NOON, **known)


def score(tmp_path: Path, job: Job, contrast: str) -> tuple[Outcome, Summary, list[Choice]]:
    """Score a brain of a contrast; what came out, and what was told meanwhile."""
    upload, results = tmp_path / "data" / "jobs" / JOB_ID / "input", tmp_path / "results"
    upload.mkdir(parents=True)
    results.mkdir()
    write_nifti(upload / "000001", make_real_brain(contrast))
    shelf = ModelShelf(tmp_path / "models")
    scorer = ScanScorer(
        FolderArtifactStore(tmp_path / "data").input_file,
        Restorers(
            Holdings(tmp_path / "models"),
            lambda package: OnnxRestorer(package, device="cpu", threads=1),
            most=2,
        ),
        batch_size=8,
        max_voxels=8_000_000,
        chooser=Chooser(shelf, default="t1w"),
    )
    told: list[Choice] = []
    try:
        outcome = scorer(job, results, lambda progress: None, told.append)
    except NoModelForModality as error:
        error.add_note(repr(told))
        raise
    return outcome, Summary.model_validate_json((results / "summary.json").read_bytes()), told


@pytest.mark.parametrize("contrast", ["T1w", "T2w"])
def test_a_scan_goes_to_the_model_of_what_its_image_is(
    tmp_path: Path, models: dict[str, ModelPackage], contrast: str
) -> None:
    outcome, summary, told = score(tmp_path, make_scan_job(), contrast)

    assert summary.scan.modality is not None
    assert (summary.scan.modality.name, summary.scan.modality.source) == (contrast, "image")
    assert summary.model.name == contrast.lower()
    assert told == [outcome.choice]
    assert told[0].model == model_of(models[contrast.lower()])
    assert "recognising" in summary.timings_s
    assert not any("model for" in warning for warning in summary.warnings)


def test_what_the_header_said_counts_and_an_image_that_differs_is_a_warning(
    tmp_path: Path, models: dict[str, ModelPackage]
) -> None:
    job = make_scan_job(model=model_of(models["t2w"]), modality=HEADER_T2W)

    _, summary, told = score(tmp_path, job, "T1w")

    assert summary.scan.modality == HEADER_T2W
    assert summary.model.name == "t2w"
    assert told == [Choice(modality=HEADER_T2W, model=job.model)]
    assert any("looks like T1w by its image" in warning for warning in summary.warnings)


def test_a_model_that_was_asked_for_scores_another_contrast_with_a_warning(
    tmp_path: Path, models: dict[str, ModelPackage]
) -> None:
    job = make_scan_job(model=model_of(models["t1w"]), params=JobParams(model="t1w"))

    _, summary, _ = score(tmp_path, job, "T2w")

    assert summary.model.name == "t1w"
    assert any("looks like T2w by its image" in warning for warning in summary.warnings)


@pytest.mark.usefixtures("models")
def test_a_scan_without_a_model_is_refused_and_the_job_knows_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(NoModelForModality, match="FLAIR by its image") as refused:
        score(tmp_path, make_scan_job(), "FLAIR")

    (note,) = refused.value.__notes__
    assert "model=None" in note
    assert "name='FLAIR'" in note


@pytest.mark.usefixtures("models")
def test_a_scan_that_is_not_recognised_goes_to_the_default_model_with_a_warning(tmp_path: Path) -> None:
    volume = make_real_brain("T1w")
    flat, mask = volume.with_voxels(np.full_like(volume.voxels, 7)), np.asarray(volume.voxels != 0)
    chooser = Chooser(ModelShelf(tmp_path / "models"), default="t1w")

    decision = chooser(make_scan_job(), flat, mask, lambda choice: None)

    assert (decision.modality.name, decision.model.name) == (None, "t1w")
    with pytest.raises(UnknownModel):
        chooser(make_scan_job(params=JobParams(version="9")), flat, mask, lambda choice: None)


def holding(*models: HeldModel) -> WorkerInfo:
    """Another worker."""
    times = dict.fromkeys(("started_at", "last_seen_at", "last_inference_at"), NOON)
    return WorkerInfo.model_validate({"id": "b", "provider": "CPU", "models": (), "holds": models, **times})


def far(name: str, version: str, modality: Modality) -> HeldModel:
    """A model that is on no disk of this worker."""
    return HeldModel(name=name, version=version, sha256="f" * 64, modality=modality)


ELSEWHERE = holding(
    far("a", "7", "FLAIR"),
    far("flair", "3", "FLAIR"),
    far("flair", "10", "FLAIR"),
    far("t2w", "4", "T2w"),
    far("standard", "1", "T1w"),
)


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("modality", "version", "chosen"),
    [
        (Guess(name="FLAIR", source="header", reason="so"), None, "flair/10"),
        (Guess(name="FLAIR", source="header", reason="so"), "7", "a/7"),
        (Guess(name="T2w", source="header", reason="so"), None, "t2w/4"),  # on the disk here, for others
        (Guess(name="T1w", source="header", reason="so"), None, "t1w/1"),
    ],
)
def test_a_model_that_only_another_worker_holds_is_chosen_too(
    tmp_path: Path, modality: Guess, version: str | None, chosen: str
) -> None:
    volume = make_real_brain("T1w")
    chooser = Chooser(
        ModelShelf(tmp_path / "models"),
        default="t1w",
        workers=lambda: [ELSEWHERE],
        may_hold=lambda name: name == "t1w",
    )
    job = make_scan_job(modality=modality, params=JobParams(version=version))

    decision = chooser(job, volume, np.asarray(volume.voxels != 0), lambda choice: None)

    assert f"{decision.model.name}/{decision.model.version}" == chosen


def away() -> NoReturn:
    raise Unavailable("away")


@pytest.mark.parametrize(
    ("likely", "default", "chosen"), [("FLAIR", "t1w", "flair"), (None, "standard", "standard")]
)
def test_a_scan_that_is_not_recognised_goes_to_another_worker_that_has_the_model(
    tmp_path: Path, models: dict[str, ModelPackage], likely: Modality | None, default: str, chosen: str
) -> None:
    volume = make_real_brain("T1w")
    flat, mask = volume.with_voxels(np.full_like(volume.voxels, 7)), np.asarray(volume.voxels != 0)
    shelf = ModelShelf(tmp_path / "models")
    job = make_scan_job()
    chooser = Chooser(shelf, default=default, workers=lambda: [ELSEWHERE])
    guess = Guess(name=None, source=None, reason="unclear", likely=likely)

    if likely is None:
        assert chooser(job, flat, mask, lambda choice: None).model.name == chosen
        with pytest.raises(UnknownModel):
            Chooser(shelf, default=default, workers=away)(job, flat, mask, lambda choice: None)
    else:
        assert chooser._choose(job, guess, lambda choice: None).name == chosen
    assert set(models) == {"t1w", "t2w"}


@pytest.mark.parametrize("contrast", ["T1w", "T2w"])
def test_a_mask_that_is_wider_than_a_stripped_brain_changes_nothing(
    models: dict[str, ModelPackage], tmp_path: Path, contrast: str
) -> None:
    scan = make_real_brain(contrast)
    wide = ndimage.binary_dilation(scan.voxels != 0, iterations=3)
    chooser = Chooser(ModelShelf(tmp_path / "models"), default="t1w")

    decision = chooser(make_scan_job(), scan, np.asarray(wide), lambda choice: None)

    assert decision.image.name == contrast
    assert decision.image == chooser(make_scan_job(), scan, scan.voxels != 0, lambda choice: None).image
