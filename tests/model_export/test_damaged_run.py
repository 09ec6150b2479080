"""A run folder with files that are not whole is refused in one line that says what to do."""

import shutil
from pathlib import Path

import pytest

from model_export import export, train
from tests.model_export.conftest import SmokeRun

pytestmark = pytest.mark.timeout(300)  # the run is made in the first test's setup


@pytest.fixture
def run(smoke_run: SmokeRun, tmp_path: Path) -> Path:
    return Path(shutil.copytree(smoke_run.folder.path, tmp_path / "run"))


def damage(path: Path, how: str) -> None:
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "other": b"not at all" * 100}[how])


@pytest.mark.parametrize("how", ["empty", "cut", "other"])
@pytest.mark.parametrize("name", ["train.npz", "held_back.npz"])
def test_slices_that_cannot_be_read_are_named_with_how_to_make_them_again(
    run: Path, name: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(run / "cache" / name, how)

    assert train.main(["--resume", "--out", str(run)]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"disyre train: expected slices that can be read at {run / 'cache' / name}: ")
    assert "--prepare-only" in line


def test_an_export_of_a_run_whose_slices_cannot_be_read_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(run / "cache" / "held_back.npz", "cut")

    assert export.main([str(run), "--to", str(run / "smoke" / "1")]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert "held_back.npz" in line


@pytest.mark.parametrize("how", ["empty", "cut", "other"])
def test_a_checkpoint_that_cannot_be_read_is_refused_with_what_to_do(
    run: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(run / "checkpoint.pt", how)

    assert train.main(["--resume", "--out", str(run)]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert "it is damaged; copy it again" in line


def test_a_checkpoint_that_is_not_there_is_told_apart_from_a_damaged_one(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "checkpoint.pt").unlink()

    assert export.main([str(run), "--to", str(run / "smoke" / "1")]) == 2

    assert "there is none; train first, without --resume" in capsys.readouterr().err
