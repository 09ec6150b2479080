"""`disyre score`: which folders and files it takes, and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import main
from cli.scans import scan_at
from cli.score import FOLDERS, folders_of
from cli.score import score as score_scan
from disyre.adapters.nifti_write import write_nifti
from disyre.errors import NotAnImage
from tests.builders import make_volume
from tests.dicom_phantom import encoded, make_series
from tests.live import ROOT
from tests.toy_model import SLOW_MODEL, make_slow_model, make_toy_model


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_toy_model(tmp_path / "models")
    monkeypatch.setenv("DISYRE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("DISYRE_THREADS", "1")
    return tmp_path / "models"


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "scan.nii.gz"
    write_nifti(path, make_volume())
    return path


def run(source: Path, out: Path, *, mask: Path | None = None) -> int:
    return score_scan(source, out, mask=mask, options={"model": "t1w"})


NO_NETWORK = """
import socket, sys
def refuse(*_):
    raise AssertionError("a connection is made")
socket.socket.connect = socket.getaddrinfo = refuse
from cli.main import main
sys.exit(main())
"""


def test_a_platform_names_the_folders_and_no_connection_is_made(
    models: Path, scan: Path, tmp_path: Path
) -> None:
    folders = {"MERCURE_IN_DIR": str(scan.parent), "MERCURE_OUT_DIR": str(tmp_path / "out")}

    done = subprocess.run(
        [sys.executable, "-c", NO_NETWORK, "score", "--threshold", "0.2"],
        env={**os.environ, **folders, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert (done.returncode, done.stdout.partition(" ")[0]) == (0, "score"), done.stderr
    assert "Research use only" in done.stdout
    assert "disyre: restoring" in done.stderr.splitlines()
    assert done.stderr.splitlines()[-1] == f"disyre: scored by t1w/1 of {models}"
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["threshold"] == 0.2
    assert len(list((tmp_path / "out").iterdir())) == 6
    assert {path.name for path in tmp_path.iterdir()} == {"in", "models", "out"}


def test_who_is_told_to_stop_leaves_nothing_half_done(models: Path, scan: Path, tmp_path: Path) -> None:
    make_slow_model(models)
    write_nifti(scan, make_volume((96, 96, 60)))
    (tmp_path / "tmp").mkdir()

    with subprocess.Popen(
        [sys.executable, "-m", "cli", "score", scan, tmp_path / "out", "--model", SLOW_MODEL],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp")},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while process.stderr.readline() != "disyre: restoring\n":
            assert process.poll() is None
        process.terminate()
        process.communicate(timeout=60)

    assert process.returncode == 143
    assert not any((tmp_path / "out").iterdir())
    assert not any((tmp_path / "tmp").iterdir())


def test_the_first_platform_counts_that_names_both_folders() -> None:
    all_set = {name: f"/{name}" for pair in FOLDERS for name in pair}

    mercure, monai, holoscan = FOLDERS
    assert folders_of(all_set) == (Path("/MERCURE_IN_DIR"), Path("/MERCURE_OUT_DIR"), *mercure)
    assert folders_of({**all_set, "MERCURE_OUT_DIR": ""}) == (
        Path("/MONAI_INPUTPATH"),
        Path("/MONAI_OUTPUTPATH"),
        *monai,
    )
    assert folders_of({"HOLOSCAN_INPUT_PATH": "in", "HOLOSCAN_OUTPUT_PATH": "out"}) == (
        Path("in"),
        Path("out"),
        *holoscan,
    )
    assert folders_of({"MONAI_INPUTPATH": "in"}) is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "or the variables MERCURE_IN_DIR and MERCURE_OUT_DIR, or MONAI"),
        (["only-in"], "got IN only"),
    ],
)
def test_without_folders_there_is_the_usage(
    given: list[str], reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (name for pair in FOLDERS for name in pair):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(SystemExit) as stop:
        main(["score", *given])

    assert stop.value.code == 2
    assert f"disyre score: error: expected IN and OUT, {reason}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "which"),
    [
        (["", "out"], "IN"),
        (["scan.nii.gz", ""], "OUT"),
        (["", ""], "IN"),
        (["scan.nii.gz", "out", "--mask", ""], "--mask"),
    ],
)
def test_an_empty_text_is_no_path(
    given: list[str],
    which: str,
    scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(scan.parent)

    with pytest.raises(SystemExit) as stop:
        main(["score", *given])

    assert stop.value.code == 2
    wanted = f"argument {which}: expected a path, got an empty text"
    assert f"disyre score: error: {wanted}" in capsys.readouterr().err
    assert [path.name for path in scan.parent.iterdir()] == ["scan.nii.gz"]


def test_a_scan_is_scored_with_the_mask_beside_it(models: Path, scan: Path, tmp_path: Path) -> None:
    mask = make_volume()
    write_nifti(scan.with_name("scan_mask.nii.gz"), mask.with_voxels((mask.voxels > 0).astype("float32")))
    (scan.parent / "scan.json").write_text("{}")

    assert run(scan.parent, tmp_path / "out") == 0

    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["scan"]["brain_mask"] == "given"


def test_a_refusal_is_told_in_the_words_of_the_service_and_names_no_file(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "ZZCANARY.nii.gz"
    odd.write_bytes(b"odd")

    assert run(odd, tmp_path / "out") == 1

    said = capsys.readouterr().err
    assert said.startswith("disyre: not-an-image: expected NIfTI, plain or gzipped, DICOM")
    assert "CANARY" not in said
    assert not (tmp_path / "out").exists()


def test_of_several_series_each_is_shown(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = [*make_series(SeriesInstanceUID="1.2.1"), *make_series(SeriesInstanceUID="1.2.2")]
    (tmp_path / "study" / "deep").mkdir(parents=True)
    for number, content in enumerate(encoded(series)):
        (tmp_path / "study" / "deep" / str(number)).write_bytes(content)

    assert run(tmp_path / "study", tmp_path / "out") == 1

    first, *volumes = capsys.readouterr().err.splitlines()
    assert first.startswith("disyre: multiple-volumes: ")
    assert {volume.strip().partition(":")[0] for volume in volumes} == {"1.2.1", "1.2.2"}


def test_which_file_is_not_there_is_told_without_its_name(
    models: Path, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    none = tmp_path / "none.nii"

    assert run(none, tmp_path / "out") == 1
    assert run(scan, tmp_path / "out", mask=none) == 1
    assert run(scan, scan) == 1
    assert run(tmp_path / "empty", tmp_path / "out") == 1

    assert capsys.readouterr().err.splitlines() == [
        "disyre: IN: there is no such file or folder",
        "disyre: the mask: there is no such file or folder",
        "disyre: OUT cannot be read or written: File exists",
        "disyre: not-an-image: expected a folder with the files of a scan, got one without files",
    ]


def test_of_a_path_is_told_how_it_was_given(
    models: Path,
    scan: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (scan.parent / "CANARY.dcm").symlink_to("nothing")

    assert main(["score", "in1", "out"]) == 1
    assert main(["score", "in/scan.nii.gz", "in/scan.nii.gz"]) == 1
    assert main(["score", "in/scan.nii.gz", "out", "--mask", "mask.nii"]) == 1
    write_nifti(scan.with_name("second.nii.gz"), make_volume())
    assert main(["score", "in", "out"]) == 1
    monkeypatch.setenv("MERCURE_IN_DIR", "in1")
    monkeypatch.setenv("MERCURE_OUT_DIR", "out")
    assert main(["score"]) == 1
    monkeypatch.setenv("MERCURE_IN_DIR", "in")
    assert main(["score"]) == 1
    assert main(["score", "--mask", "mask.nii"]) == 1

    assert capsys.readouterr().err.splitlines() == [
        "disyre: IN (in1): there is no such file or folder",
        "disyre: OUT (in/scan.nii.gz) cannot be read or written: File exists",
        "disyre: the mask (mask.nii): there is no such file or folder",
        "disyre: a file in IN (in): there is no such file or folder",
        "disyre: IN (MERCURE_IN_DIR): there is no such file or folder",
        "disyre: a file in IN (MERCURE_IN_DIR): there is no such file or folder",
        "disyre: a file in IN (MERCURE_IN_DIR): there is no such file or folder",
    ]


def test_a_scan_that_is_not_there_is_told_before_a_model_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISYRE_MODELS_DIR", str(tmp_path / "models"))

    assert run(tmp_path / "none.nii", tmp_path / "out") == 1
    assert capsys.readouterr().err.startswith("disyre: IN: there is no such file")


def test_who_set_disyre_up_wrongly_is_told_what_is_wrong(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISYRE_MODELS_DIR", str(tmp_path / "models"))

    assert run(scan, tmp_path / "out") == 78
    told = capsys.readouterr().err
    assert f"disyre: misconfigured: there is no model 't1w' in {tmp_path / 'models'}: " in told
    assert "DISYRE_MODELS_DIR names the folder of models" in told


@pytest.mark.parametrize("is_own", [True, False])
def test_the_folder_of_models_is_told_unless_it_is_that_of_those_that_ship(
    models: Path,
    scan: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_own: bool,
) -> None:
    monkeypatch.delenv("DISYRE_MODELS_DIR")
    monkeypatch.chdir(models.parent)  # its models go before those of the checkout
    if is_own:
        monkeypatch.setattr("cli.score.own_models", lambda: models)

    assert run(scan, tmp_path / "out") == 0

    where = "" if is_own else f" of {models.resolve()}"
    assert capsys.readouterr().err.splitlines()[-1] == f"disyre: scored by t1w/1{where}"


def test_options_that_cannot_be_are_a_wrong_command(
    models: Path, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"model": "t1w", "preset": "parity", "align": True}
    assert score_scan(scan, tmp_path / "out", mask=None, options=options) == 2
    assert "expected either a preset or" in capsys.readouterr().err


@pytest.mark.parametrize("options", [{"model": "nope"}, {"model": "t1w", "version": "9"}])
def test_a_model_that_is_not_there_is_a_wrong_command(
    models: Path, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: dict[str, str]
) -> None:
    assert score_scan(scan, tmp_path / "out", mask=None, options=options) == 2
    assert capsys.readouterr().err.startswith(
        "disyre: unknown-model: expected one of the installed models (t1w"
    )


@pytest.mark.parametrize(
    ("option", "typed", "allowed"),
    [
        ("--modality", "T2", "'T1w', 'T2w', 'FLAIR'"),
        ("--mode", "fast", "'ensemble', 'stepwise'"),
        ("--preset", "paper", "'parity'"),
    ],
)
def test_a_word_that_an_option_does_not_know_is_told_as_it_was_typed_with_those_that_it_knows(
    option: str, typed: str, allowed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("score", "submit"):
        with pytest.raises(SystemExit, match="2"):
            main([command, "scan.nii.gz", option, typed])
        told = capsys.readouterr().err
        assert f"invalid choice: '{typed}' (choose from {allowed})" in told


def test_a_fault_is_told_by_its_place_and_not_by_what_it_says(
    models: Path, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score_scan(scan, tmp_path / "out", mask=None, options={1: "ZZCANARY"}) == 1  # type: ignore[dict-item]

    said = capsys.readouterr().err
    assert said.splitlines()[-1].startswith("disyre: internal: the scan could not be scored")
    assert "one_shot.py" in said
    assert "CANARY" not in said


def test_a_folder_with_one_nifti_file_is_that_scan_and_with_several_all_files_of_it(tmp_path: Path) -> None:
    (tmp_path / ".hidden").touch()
    with pytest.raises(NotAnImage):
        scan_at(tmp_path)
    one = tmp_path / "a.nii"
    one.touch()
    (tmp_path / "a.json").touch()
    assert scan_at(tmp_path).files == (one,)
    assert scan_at(one).files == (one,)

    (tmp_path / "b.nii").touch()
    assert {file.name for file in scan_at(tmp_path).files} == {"a.nii", "a.json", "b.nii"}

    (tmp_path / "b.nii").unlink()
    (tmp_path / "c").write_bytes(bytes(128) + b"DICM")
    assert {file.name for file in scan_at(tmp_path).files} == {"a.nii", "a.json", "c"}


def test_the_documentation_names_the_variables_of_every_platform() -> None:
    rows = [f"| `{source}` | `{target}` |" for source, target in FOLDERS]

    text = (ROOT / "docs" / "modules.md").read_text(encoding="utf-8")
    assert [row for row in rows if row not in text] == []
