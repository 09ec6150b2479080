"""`disyre submit --from-pacs`: the service fetches the series, and its results come like any others."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.submitting import MAP, submit, work
from tests.service.live_api import LiveApi, live_api
from tests.service.pulls.archive import SERIES, STUDY, archive


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    """An API whose jobs succeed soon, and which knows an archive."""
    done = threading.Event()
    with archive() as pacs, live_api(tmp_path / "api", pacs_file=pacs.file(tmp_path)) as api:
        worker = threading.Thread(target=work, args=(api, done))
        worker.start()
        yield api
        done.set()
        worker.join()


def test_results_come_into_a_folder_with_the_name_of_the_series(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    assert submit(api, "--from-pacs", "pacs1", STUDY, SERIES, "--out", out) == 0

    assert capsys.readouterr().out == f"{SERIES}  succeeded  score 0.250  {out / SERIES}\n"
    assert (out / SERIES / "anomaly.nii.gz").read_bytes() == MAP


def test_a_series_that_is_not_there_does_not_stop_the_others(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = ["--from-pacs", "pacs1", STUDY, "1.2.3.4", "--from-pacs", "pacs1", STUDY, SERIES]

    assert submit(api, scans / "one.nii.gz", *sources, "--out", tmp_path / "out") == 1

    file, missing, fetched = capsys.readouterr().out.splitlines()
    assert file.startswith(f"{scans / 'one.nii.gz'}  succeeded")
    assert missing.startswith("1.2.3.4  refused  404 series-not-found: expected a series that the archive")
    assert fetched.startswith(f"{SERIES}  succeeded")


@pytest.mark.parametrize("more", [["--each-series"], ["--mask", "mask.nii.gz"]])
def test_what_is_about_files_does_not_go_with_it(
    api: LiveApi, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(api, "--from-pacs", "pacs1", STUDY, SERIES, *more) == 2

    assert "expected --from-pacs alone or with scans" in capsys.readouterr().err


def test_without_scans_and_without_a_series_the_command_is_wrong(
    api: LiveApi, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        submit(api)

    assert "expected a SCAN or --from-pacs, got neither" in capsys.readouterr().err
