"""`disyre reproduce`, with phantoms for healthy people and for a cohort of BraTS."""

import json
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from cli.main import main
from disyre.adapters.nifti_write import write_nifti
from model_export.phantom import make_phantom
from tests.model_export.conftest import SmokeRun


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Healthy scans, a test case as BraTS 2020 names it, and a config of three batches."""
    folder = tmp_path_factory.mktemp("papers")
    for seed in (1, 2, 3):
        for modality in ("T1w", "T2w"):
            write_nifti(_new(folder / f"healthy/sub-{seed}_{modality}.nii.gz"), make_phantom(seed).volume)
    case = make_phantom(4)
    name = "BraTS20_Training_001"
    lesion = np.zeros_like(case.volume.voxels)
    lesion[50:60, 60:70, 15:25] = 1
    for short in ("t1", "t2"):
        write_nifti(_new(folder / f"brats/{name}/{name}_{short}.nii.gz"), case.volume)
    write_nifti(folder / f"brats/{name}/{name}_seg.nii.gz", case.volume.with_voxels(lesion))
    smoke = (files("model_export") / "configs/smoke.toml").read_text(encoding="utf-8")
    short = re.sub(r"total_patches = .*", "total_patches = 48", smoke)
    (folder / "short.toml").write_text(re.sub(r"warmup_patches = .*", "warmup_patches = 16", short))
    return folder


def _new(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _reproduce(place: Path, *options: str, figure: str = "brats-t1w") -> int:
    data = ["--healthy", str(place / "healthy"), "--validation", "1", "--test", str(place / "brats")]
    device = ["--device", "cpu", "--threads", "1", "--config", str(place / "short.toml")]
    return main(["reproduce", figure, *data, *device, *options])


def test_one_command_trains_exports_and_measures_and_does_nothing_twice(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _reproduce(place, "--out", str(tmp_path)) == 0
    figures = json.loads((tmp_path / "report/metrics.json").read_text(encoding="utf-8"))
    network = tmp_path / "models/v2-t1w/1/model.onnx"
    made_at = network.stat().st_mtime_ns

    test = ["--test", str(place / "brats"), "--config", str(place / "short.toml")]
    assert main(["reproduce", "brats-t1w", *test, "--device", "cpu", "--out", str(tmp_path)]) == 0

    assert "--protocol reference" in figures["command"]
    assert figures["sections"][0]["title"] == "BraTS 2020, T1w"
    assert "published: AP not known, best Dice not known (no figure is known here)" in capsys.readouterr().out
    assert network.stat().st_mtime_ns == made_at
    assert len(json.loads((tmp_path / "run/split.json").read_text(encoding="utf-8"))["held_back"]) == 1


def test_what_was_published_stands_beside_what_was_measured(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _reproduce(place, "--out", str(tmp_path), figure="brats-t2w") == 0

    section = json.loads((tmp_path / "report/metrics.json").read_text(encoding="utf-8"))["sections"][0]
    measured = next(iter(section["methods"].values()))["reference_average_precision"]
    report = (tmp_path / "report/report.md").read_text(encoding="utf-8")
    last = capsys.readouterr().out.splitlines()[-2:]
    assert section["published"]["average_precision"] == 0.8084
    assert f"| v2-t2w/1, measured here, 1 scan | {measured:.4f} |" in report
    assert "| published: notebook of the reference implementation, 369 scans" in report
    assert last[0].startswith(f"BraTS 2020, T2w, measured: AP {measured:.4f}, best Dice ")
    assert last[1].startswith("published: AP 0.8084, best Dice 0.7465 (notebook")


def test_a_gpu_that_is_not_there_is_told_before_anything_is_linked(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")

    assert _reproduce(place, "--out", str(tmp_path / "out"), "--device", "cuda") == 2

    assert "expected a GPU for the device cuda, found none" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_test_data_that_are_not_as_expected_are_refused_before_any_training(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _reproduce(place, "--out", str(tmp_path / "out"), "--test", str(place / "healthy")) == 2

    assert "T1w, T2w, FLAIR, lesion files below" in capsys.readouterr().err
    assert not (tmp_path / "out/run").exists()


def test_a_folder_that_is_not_there_is_named(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _reproduce(place, "--out", str(tmp_path / "out"), "--masks", str(tmp_path / "none")) == 2

    assert f"expected data at {tmp_path / 'none'}, found nothing" in capsys.readouterr().err


def test_a_model_that_is_there_is_measured_without_healthy_scans_and_without_training(
    place: Path, smoke_run: SmokeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", str(smoke_run.package.folder)]

    status = main(["reproduce", "brats-t1w", *model, "--test", str(place / "brats"), "--out", str(tmp_path)])

    assert status == 0
    assert capsys.readouterr().out.splitlines()[-2].startswith("BraTS 2020, T1w, measured: AP ")
    report = (tmp_path / "report/report.md").read_text(encoding="utf-8")
    assert "No healthy scans were given (`--healthy`): so there is no volume AUROC" in report
    assert "had no healthy scans to set a threshold with (`--healthy`)." in report
    assert not (tmp_path / "run").exists()


def test_a_model_of_another_modality_than_the_figure_is_refused(
    place: Path, smoke_run: SmokeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", str(smoke_run.package.folder)]

    assert (
        main(["reproduce", "brats-t2w", *model, "--test", str(place / "brats"), "--out", str(tmp_path)]) == 2
    )

    assert "expected a model of T2w for brats-t2w, got one of T1w" in capsys.readouterr().err


def test_with_nothing_to_train_on_and_nothing_to_measure_it_says_what_is_missing(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["reproduce", "brats-t1w", "--test", str(place / "brats"), "--out", str(tmp_path / "out")]) == 2
    )

    assert "--healthy), or a model to measure (--model), got neither" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
