"""What `disyre train` is told before it reads a scan, and what it tells while it reads them."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disyre.adapters.nifti_write import write_nifti
from disyre.errors import InvalidInput, Misconfigured
from model_export import train
from model_export.config import TrainingConfig
from model_export.phantom import make_phantom
from model_export.run_folder import RunFolder, Split
from model_export.run_preparation import prepare
from model_export.train_options import make_parser
from model_export.training_sources import TrainingSources
from tests.model_export.conftest import SmokeRun


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty files with the names of three scans and of a lesion shape, and an empty folder."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("scans/sub-1_T1w", "scans/sub-2_T1w", "scans/sub-3_T1w", "shapes/one_lesion"):
        path = folder / f"{name}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (folder / "empty").mkdir()
    return folder


def found(place: Path, *options: str) -> TrainingSources:
    """The sources that options name; names of folders stand for those in the place."""
    known = [str(place / option) if (place / option).is_dir() else option for option in options]
    given = make_parser().parse_args([*known, "--out", "run"])
    return TrainingSources.find(given, TrainingConfig.read("smoke"))


def test_scans_are_found_without_a_look_into_them(place: Path) -> None:
    sources = found(place, "--data", "scans", "--own-scans", "scans")

    assert [path.name for path in sources.training] == ["sub-1_T1w.nii.gz", "sub-2_T1w.nii.gz"]
    assert [path.name for path in sources.held_back] == ["sub-3_T1w.nii.gz"]
    assert len(sources.own) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--data", "empty"],
            r"expected scans named \*_T1w.nii.gz, or T1w.* below .*empty, found none",
        ),
        (
            ["--own-scans", "empty"],
            r"expected scans named \*_T1w.nii.gz, or T1w.* below .*empty, found none",
        ),
        (["--label-maps", "empty"], r"expected label maps named \*.nii.gz below .*empty, found none"),
        (["--lesion-shapes", "empty"], r"expected lesion shapes named \*_lesion.nii.gz"),
        (
            ["--lesion-shapes", "shapes", "--lesion-scans", "empty"],
            "expected healthy T1w scans below .*empty, found none",
        ),
        (["--lesion-scans", "scans"], "expected --lesion-shapes to put into the scans of --lesion-scans"),
        (["--data", "scans", "--validation", "3"], "expected to hold back 1 to 2 persons, got 3"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_read(
    place: Path, options: list[str], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        found(place, *options)


def test_a_run_to_start_from_has_weights_that_fit(place: Path, smoke_run: SmokeRun) -> None:
    start = ["--start-from", str(smoke_run.folder.path), "--out", "run"]
    options = make_parser().parse_args(start)

    assert TrainingSources.find(options, TrainingConfig.read("smoke")).phantoms
    with pytest.raises(InvalidInput, match=r"expected a run of the same \[network\] at --start-from"):
        TrainingSources.find(options, TrainingConfig.read("paper"))
    with pytest.raises(Misconfigured, match="no usable checkpoint"):
        found(place, "--start-from", "empty")


def test_a_scan_that_cannot_be_used_is_named(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--config", "smoke", "--data", str(place / "scans"), "--out", str(tmp_path / "run")]

    assert train.main(command) == 2

    assert "sub-1_T1w.nii.gz: " in capsys.readouterr().err


def test_the_reading_of_scans_is_told_in_plain_lines_where_no_terminal_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (1, 2, 3):
        write_nifti(tmp_path / f"sub-{seed}_T1w.nii.gz", make_phantom(seed).volume, dtype=np.float32)
    command = ["--config", "smoke", "--data", str(tmp_path), "--own-scans", str(tmp_path), "--prepare-only"]

    assert train.main([*command, "--out", str(tmp_path / "run")]) == 0

    out, err = capsys.readouterr()
    told = [line.split(",")[0] for line in err.splitlines()]
    assert told == [
        *("scans to train on: 1 of 2", "scans to train on: 2 of 2", "scans to hold back: 1 of 1"),
        *("scans of its own: 1 of 3", "scans of its own: 3 of 3"),
        *("files of slices: 1 of 3", "files of slices: 3 of 3"),
    ]
    assert "run is ready, 2 scans to train on, 1 held back" in out


def test_ctrl_c_while_scans_are_read_leaves_no_folder_that_claims_to_be_ready(tmp_path: Path) -> None:
    first = tmp_path / "scans" / "sub-0_T1w.nii.gz"
    first.parent.mkdir()
    write_nifti(first, make_phantom(1).volume)
    for number in range(1, 300):
        first.with_name(f"sub-{number}_T1w.nii.gz").hardlink_to(first)
    run = tmp_path / "run"
    command = [sys.executable, "-m", "model_export.train", "--config", "smoke"]
    command += ["--data", str(first.parent), "--out", str(run)]
    # Where the tests run in the background, Ctrl-C means nothing to what they start, unless they say so.
    heeding = ["env", "--default-signal=INT", *command]
    with subprocess.Popen(heeding, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("scans to train on: 1 of ")

        process.send_signal(signal.SIGINT)

        told = process.stderr.read()
        assert process.wait(60) == 130
    assert told.splitlines()[-1] == (
        "disyre train: stopped before training; the run folder is not ready, and the same command begins anew"
    )
    assert not RunFolder(run).is_ready


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_after_the_last_scan_is_not_lost(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    status: int,
) -> None:
    def and_then_a_signal(*given: Any) -> Split:
        split = prepare(*given)
        signal.raise_signal(number)
        return split

    monkeypatch.setattr(train, "prepare", and_then_a_signal)

    assert train.main(["--config", "smoke", "--out", str(tmp_path / "run")]) == status

    assert "the folder is ready, and --resume --out" in capsys.readouterr().err


def test_a_preparation_takes_nothing_from_one_before_that_was_stopped(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.label_cache.parent.mkdir(parents=True)
    run.label_cache.write_bytes(b"of other options")

    assert train.main(["--config", "smoke", "--prepare-only", "--out", str(run.path)]) == 0

    assert run.is_ready
    assert not run.label_cache.exists()
