"""What `disyre evaluate` does with cases that cannot be measured, or are odd: the rest is measured."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import main
from disyre.adapters.nifti import read_nifti
from disyre.adapters.nifti_write import write_nifti
from tests.builders import make_volume
from tests.model_export.evaluation.conftest import evaluate


@pytest.fixture
def cases(place: Path, tmp_path: Path) -> Path:
    """Two cases that can be measured; tests add others."""
    return Path(shutil.copytree(place / "cases", tmp_path / "cases"))


def add(cases: Path, name: str) -> Path:
    """One more case, as the first."""
    return Path(shutil.copytree(cases / "c1", cases / name))


def put_lesion(case: Path, *, at: tuple[int, int, int] | None) -> None:
    """A lesion of 8 voxels, or none."""
    scan = read_nifti(case / "T1w.nii.gz")
    mask = np.zeros(scan.shape, dtype=np.float32)
    if at is not None:
        mask[tuple(slice(start, start + 2) for start in at)] = 1
    write_nifti(case / "lesion.nii.gz", scan.with_voxels(mask))


def section(figures: dict[str, Any]) -> dict[str, Any]:
    (one,) = figures["sections"]
    return dict(one)


def test_cases_that_cannot_be_read_are_left_out_by_name_and_the_others_are_measured(
    place: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = add(cases, "torn") / "T1w.nii.gz"
    scan.write_bytes(scan.read_bytes()[:2000])
    write_nifti(add(cases, "other-grid") / "lesion.nii.gz", make_volume((20, 20, 20)))
    gone = add(cases, "gone") / "T1w.nii.gz"
    gone.unlink()
    gone.symlink_to("nowhere.nii.gz")
    (add(cases, "no-mask") / "lesion.nii.gz").unlink()

    figures = evaluate(place, "--no-baselines", cases=[str(cases)])

    assert [case["case"] for case in section(figures)["cases"]["t1w/1"]] == ["c1", "c2"]
    assert section(figures)["left_out"].keys() == {"gone", "other-grid", "torn"}
    assert section(figures)["left_out"]["other-grid"].startswith(
        "lesion.nii.gz: expected a mask of the scan's"
    )
    assert section(figures)["without_lesion_mask"] == ["no-mask"]
    report = (figures["folder"] / "report.md").read_text(encoding="utf-8")
    assert "\n* torn: left out: T1w.nii.gz: " in report
    assert "\n* 1 scan left out, without a lesion mask: no-mask" in report
    told = capsys.readouterr().err
    assert told.index("torn is left out: T1w.nii.gz: ") < told.index("c1 (")  # before the first was scored
    assert told.endswith("disyre evaluate: T1w, cases: 3 cases left out; the report says which and why\n")


def test_nothing_is_measured_and_no_folder_left_if_no_case_can_be(
    place: Path, cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("c1", "c2"):
        (cases / name / "T1w.nii.gz").write_bytes(b"no image")
    command = ["evaluate", str(place / "models/t1w/1"), "--cases", str(cases), "--no-baselines"]

    assert main([*command, "--out", str(tmp_path / "deep/out")]) == 2

    told = capsys.readouterr().err
    assert "c2 is left out: T1w.nii.gz: " in told
    assert "got 2 that cannot be measured" in told
    assert not (tmp_path / "deep").exists()


def test_a_report_that_is_refused_on_the_way_leaves_no_empty_folder(
    place: Path, cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torn = tmp_path / "healthy" / "sub-9_T1w.nii.gz"
    torn.parent.mkdir()
    torn.write_bytes((place / "healthy/sub-1_T1w.nii.gz").read_bytes()[:2000])
    command = ["evaluate", str(place / "models/t1w/1"), "--cases", str(cases), "--healthy", str(torn.parent)]

    assert main([*command, "--out", str(tmp_path / "deep/out")]) == 2

    assert f"{torn}: " in capsys.readouterr().err
    assert not (tmp_path / "deep").exists()


def test_a_case_that_a_model_refuses_is_left_out(place: Path, cases: Path) -> None:
    flat = add(cases, "flat")
    scan = read_nifti(flat / "T1w.nii.gz")
    brain = scan.voxels > 0
    write_nifti(flat / "brainmask.nii.gz", scan.with_voxels(brain.astype(np.float32)))
    write_nifti(flat / "T1w.nii.gz", scan.with_voxels(np.ones_like(scan.voxels)))

    figures = evaluate(place, "--no-baselines", cases=[str(cases)])

    assert section(figures)["left_out"].keys() == {"flat"}


def test_a_lesion_outside_of_the_brain_counts_as_missed_and_an_empty_mask_has_no_figure_and_both_are_told(
    place: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_lesion(add(cases, "outside"), at=(0, 0, 0))
    put_lesion(add(cases, "without"), at=None)

    figures = evaluate(place, "--no-baselines", cases=[str(cases)])

    found = {case["case"]: case for case in section(figures)["cases"]["t1w/1"]}
    assert found["outside"]["found_ml"] == 0
    assert found["outside"]["average_precision"] < 0.01
    assert found["without"]["average_precision"] is None
    assert section(figures)["remarks"]["outside"].endswith("all of it counts as missed")
    told = capsys.readouterr().err
    assert told.index("without: its lesion mask is empty") < told.index("c1 (")


def test_a_lesion_in_slices_without_brain_of_the_only_case_is_measured_as_missed(
    place: Path, cases: Path
) -> None:
    scan = read_nifti(cases / "c1" / "T1w.nii.gz")
    brain = (scan.voxels > 0).astype(np.float32)
    brain[:, :, :4] = 0
    write_nifti(cases / "c1" / "brainmask.nii.gz", scan.with_voxels(brain))
    put_lesion(cases / "c1", at=(0, 0, 0))

    figures = evaluate(place, "--no-baselines", cases=[str(cases / "c1")])

    assert section(figures)["title"] == "T1w, c1 cases"
    assert section(figures)["methods"]["t1w/1"]["average_precision"]["value"] < 0.01
    assert section(figures)["methods"]["t1w/1"]["slices"]["top"][1] is None


def test_empty_masks_alone_are_refused_before_anything_is_scored(
    place: Path, cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("c1", "c2"):
        put_lesion(cases / name, at=None)
    command = ["evaluate", str(place / "models/t1w/1"), "--cases", str(cases), "--out", str(tmp_path / "out")]

    assert main(command) == 2

    assert "got 0 that cannot be measured and 2 whose lesion mask is empty" in capsys.readouterr().err
