"""`disyre evaluate`, from cases to the report, with a toy model whose map is half of the intensity."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from disyre.adapters.nifti_write import write_nifti
from disyre.errors import InvalidInput
from model_export.code_version import CodeVersion
from model_export.evaluation.model import Model
from model_export.evaluation.options import make_parser
from model_export.evaluation.repeatability import Pair, Repeatability
from model_export.evaluation.report import Report, Section
from model_export.evaluation.training_scans import find_training_scans
from model_export.phantom import make_phantom
from tests.model_export.conftest import SmokeRun
from tests.model_export.evaluation.conftest import evaluate
from tests.toy_model import make_toy_model


def test_the_report_says_what_was_measured_of_which_network(place: Path) -> None:
    figures = evaluate(place, "--no-baselines")

    report = (figures["folder"] / "report.md").read_text()
    (model,) = figures["models"]
    (section,) = figures["sections"]
    code = CodeVersion.of()
    assert model["name"] == "t1w/1"
    assert model["sha256"] in report
    assert (figures["version"], figures["commit"]) == (code.version, code.commit)
    assert f"* {code.in_words()}, " in report
    assert figures["command"] in report
    assert {case["case"] for case in section["cases"]["t1w/1"]} == {"c1", "c2"}
    for line in report.splitlines():
        if line.startswith("!["):
            assert (figures["folder"] / line.split("(")[1].rstrip(")")).stat().st_size > 10_000


def test_a_perfect_map_has_an_average_precision_of_1(place: Path) -> None:
    """The whole bright cube is the first lesion; of the second, it is twice as large."""
    figures = evaluate(place, "--no-baselines")

    perfect, half = figures["sections"][0]["cases"]["t1w/1"]
    assert perfect["average_precision"] == pytest.approx(1)
    assert perfect["best_dice"] == pytest.approx(1)
    assert half["average_precision"] == pytest.approx(0.5)
    assert half["best_dice"] == pytest.approx(2 / 3)
    pooled = figures["sections"][0]["methods"]["t1w/1"]["average_precision"]
    assert pooled["value"] == pytest.approx(0.75)


def test_a_case_whose_mask_is_empty_has_no_figure_of_its_own(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "cases", tmp_path / "cases")
    lesion = tmp_path / "cases" / "c2" / "lesion.nii.gz"
    write_nifti(lesion, make_phantom(4).volume.with_voxels(np.zeros((112, 136, 40), dtype=np.float32)))

    figures = evaluate(place, "--no-baselines", cases=[str(tmp_path / "cases")])

    perfect, empty = figures["sections"][0]["cases"]["t1w/1"]
    assert perfect["average_precision"] == pytest.approx(1)
    assert empty["average_precision"] is None


def test_baselines_run_beside_the_model(place: Path) -> None:
    figures = evaluate(place)

    methods = figures["sections"][0]["methods"]
    assert list(methods) == ["t1w/1", "darkness, equalised", "|x − median(x)|"]
    model, darkness = (methods[n]["average_precision"]["value"] for n in ("t1w/1", "darkness, equalised"))
    assert model > darkness
    assert methods["t1w/1"]["threshold"] == pytest.approx(0.3)  # the manifest's
    assert methods["t1w/1"]["volume_auroc"] is not None


def test_semi_synthetic_cases_are_made_in_the_healthy_scans(place: Path, shapes_folder: Path) -> None:
    options = ["--shapes", str(shapes_folder), "--n", "2", "--held-back", "sub-2", "--no-baselines"]
    figures = evaluate(place, *options, cases=["semi-synthetic"])

    cases = figures["sections"][0]["cases"]["t1w/1"]
    assert {case["facts"]["scan"] for case in cases} == {"sub-2"}
    assert "AP, mean of the cases of a strength or size" in (figures["folder"] / "report.md").read_text()


def test_settings_are_compared_on_the_first_cases(place: Path) -> None:
    figures = evaluate(place, "--no-baselines", "--ablations", "1", "--protocol", "reference")

    section = figures["sections"][1]
    assert len(section["methods"]) == 9
    assert all(len(cases) == 1 for cases in section["cases"].values())
    whole, windows = (
        section["methods"][name]["average_precision"]["value"]
        for name in ("t1w/1: as it ships (ensemble)", "t1w/1: windows of 128, stride 32")
    )
    assert whole == pytest.approx(windows, abs=1e-6)  # the toy looks at one voxel at a time


def test_two_scans_of_a_person_are_compared(place: Path) -> None:
    scans = [str(place / "healthy" / f"sub-{seed}_T1w.nii.gz") for seed in (1, 2)]
    figures = evaluate(place, "--no-baselines", "--pair", *scans)

    (measured,) = figures["sections"][1]["repeatability"]
    (pair,) = measured["pairs"]
    assert pair["scans"] == ["sub-1", "sub-2"]
    one, other = pair["anomaly_scores"]
    assert measured["within_sd"] == pytest.approx(abs(one - other) / 2**0.5)


def test_two_scans_of_another_modality_are_not_for_this_model(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = [tmp_path / f"sub-{seed}_FLAIR.nii.gz" for seed in (1, 2)]
    for seed, scan in enumerate(scans, start=1):
        scan.write_bytes((place / "healthy" / f"sub-{seed}_T1w.nii.gz").read_bytes())

    figures = evaluate(place, "--no-baselines", "--pair", *map(str, scans))

    assert [section["title"] for section in figures["sections"]] == ["T1w, cases"]
    told = "--pair sub-1_FLAIR.nii.gz and sub-2_FLAIR.nii.gz: left out, no model of their modality is"
    assert told in capsys.readouterr().err


def test_what_is_marked_is_told_inside_and_outside_of_the_lesion(place: Path) -> None:
    figures = evaluate(place, "--no-baselines")

    [section] = figures["sections"]
    [cases] = section["cases"].values()
    assert cases
    for case in cases:
        assert 0 <= case["found_ml"] <= case["lesion_ml"] * 1.0001
        assert case["elsewhere_ml"] >= 0
    report = (figures["folder"] / "report.md").read_text(encoding="utf-8")
    assert f"; {cases[0]['found_ml']:.1f}, {cases[0]['elsewhere_ml']:.1f} |" in report


def test_a_run_is_measured_before_it_is_exported(place: Path, smoke_run: SmokeRun, tmp_path: Path) -> None:
    options = ["--cases", str(place / "cases"), "--healthy", str(place / "healthy"), "--bootstrap", "20"]
    command = ["evaluate", str(smoke_run.folder.path), *options, "--no-baselines", "--out", str(tmp_path)]
    assert main(command) == 0

    run = json.loads((tmp_path / "metrics.json").read_text())
    exported = Model.load(smoke_run.package.folder, threads=1)
    assert run["models"][0]["name"] == f"run {smoke_run.folder.path.name}"
    assert exported.is_calibrated


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--cases", "semi-synthetic", "--train-scans", "nowhere"],
            "nowhere, found nothing; expected --shapes for semi-synthetic cases, got none; expected --heal",
        ),
        (["--cases", "semi-synthetic", "--shapes", "healthy"], "expected --healthy for semi-synthetic cases"),
        (
            ["--cases", "semi-synthetic", "--shapes", "healthy", "--healthy", "healthy"],
            "named *_lesion.nii.gz, found none",
        ),
        (["--cases", "cases", "--healthy", "healthy", "--held-back", "sub-9"], "found none of sub-9"),
        (["--cases", "cases", "--train-scans", "models"], "healthy T1w scans below"),
        (["--cases", "cases", "cases"], "names of their own, got two called cases"),
        (["--cases", "nowhere"], "found nothing"),
        (["--cases", "healthy"], "lesion mask in each"),
        (["--cases", "cases", "--pair", "nowhere", "nowhere"], "at nowhere, found nothing"),
    ],
)
def test_what_is_missing_is_said(
    place: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = place / "refused"
    options = [str(place / option) if (place / option).is_dir() else option for option in options]
    assert main(["evaluate", str(place / "models/t1w/1"), *options, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_what_is_missing_of_a_second_modality_is_said_before_the_first_is_measured(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_toy_model(tmp_path / "models", name="flair", modality="FLAIR")
    models = [str(place / "models/t1w/1"), str(tmp_path / "models/flair/1")]
    options = ["--cases", str(place / "cases"), "--no-baselines", "--out", str(tmp_path / "out")]

    assert main(["evaluate", *models, *options]) == 2

    assert "folders with a FLAIR scan and a lesion mask in each" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_of_another_modality_has_no_scans_for_the_autoencoder(
    place: Path, smoke_run: SmokeRun, tmp_path: Path
) -> None:
    assert find_training_scans([smoke_run.folder.path], "T1w")[1] == []
    with pytest.raises(InvalidInput, match="expected healthy FLAIR scans to train the autoencoder on"):
        find_training_scans([smoke_run.folder.path], "FLAIR")


def test_the_help_tells_what_is_done_without_an_option() -> None:
    text = " ".join(make_parser().format_help().split())

    for told in ("a modality; 100, if not given", "intervals; 1000, if not given", "exact, if not given"):
        assert told in text


def test_nothing_is_no_number_of_cases(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["models", "--cases", "cases", "--out", "out", "--n", "0"])

    assert "--n: expected 1 or more, got 0" in capsys.readouterr().err


def test_a_folder_of_cases_may_say_what_it_is_called(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "cases", tmp_path / "links")
    (tmp_path / "links" / "cases.toml").write_text('name = "BraTS 2020"\n')

    figures = evaluate(place, "--no-baselines", cases=[str(tmp_path / "links")])

    assert [section["title"] for section in figures["sections"]] == ["BraTS 2020, T1w"]


def test_a_folder_that_is_no_model_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = str(place / "cases")
    assert main(["evaluate", str(place / "healthy"), "--cases", cases, "--out", str(place / "no")]) == 2
    assert "model package or a run" in capsys.readouterr().err


def test_a_model_without_its_version_is_refused_with_the_versions_that_there_are(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = str(place / "cases")
    assert main(["evaluate", str(place / "models/t1w"), "--cases", cases, "--out", str(place / "no")]) == 2
    assert f"found its versions: {place / 'models/t1w/1'}\n" in capsys.readouterr().err


def test_figures_of_drawn_voxels_are_told_with_seed_and_draws_and_with_a_warning_when_cases_are_few(
    place: Path,
) -> None:
    figures = evaluate(place, "--no-baselines", "--protocol", "reference")

    report = (figures["folder"] / "report.md").read_text(encoding="utf-8")
    assert "AP, 10,000 voxels, is average precision as the reference implementation measures" in report
    assert "From one draw (seed 0), no intervals" in report
    assert "**Of the 20,000 voxels that were drawn, " in report
    assert "with fewer than 20 cases another draw" in report


def test_a_report_says_in_how_many_brains_its_cases_are_and_which_healthy_scans_set_the_threshold(
    place: Path, shapes_folder: Path, tmp_path: Path
) -> None:
    manifest_file = place / "models/t1w/1/model.json"
    package = tmp_path / "models/t1w/1"
    shutil.copytree(manifest_file.parent, package)
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    brain = {"name": "sub-2", "anomaly_score": 0.1, "above_threshold_ml": 1.0}
    manifest["calibration"] |= {"n_scans": 1, "healthy": [brain]}
    (package / "model.json").write_text(json.dumps(manifest), encoding="utf-8")
    healthy = ["--healthy", str(place / "healthy"), "--held-back", "sub-2", "--shapes", str(shapes_folder)]
    options = [*healthy, "--n", "2", "--no-baselines", "--bootstrap", "20", "--out", str(tmp_path / "out")]

    assert main(["evaluate", str(package), "--cases", "semi-synthetic", *options]) == 0

    report = (tmp_path / "out/report.md").read_text(encoding="utf-8")
    assert "2 cases in 1 brain: intervals tell nothing of other people." in report
    assert "By their names, sub-2 is among the 1 healthy scan that set the threshold of\nt1w/1: " in report


def test_every_option_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text()
    options = re.findall(r"--[a-z-]+", make_parser().format_usage())
    assert [option for option in options if f"`{option}" not in text and f"{option} " not in text] == []


def test_a_report_is_whole_after_every_section(tmp_path: Path) -> None:
    pair = Pair(("a", "b"), (0.1, 0.2), (1.0, 3.0))
    report = Report(tmp_path, "disyre evaluate", [], protocol="exact", n_draws=10)

    report.add(Section("Pairs", repeatability=[Repeatability("m", (pair,), 0.07, float("nan"))]))

    assert pair.relative_difference == pytest.approx(0.1 / 0.15)
    assert "| a / b | 0.1000 / 0.2000 | 66.7% | 1.0 / 3.0 |" in (tmp_path / "report.md").read_text()
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["sections"][0]["repeatability"][0]["between_sd"] is None
