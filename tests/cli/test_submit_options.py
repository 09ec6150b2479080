"""The options of `disyre submit`."""

from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from cli.options import OPTIONS
from disyre.job_params import JobParams
from tests.cli.submitting import submit
from tests.disyre.client.scripted_api import document, scripted_api
from tests.service.live_api import LiveApi


def test_a_mask_may_be_named(api: LiveApi, scans: Path, tmp_path: Path) -> None:
    mask = scans / "two_mask.nii.gz"

    assert submit(api, scans / "one.nii.gz", "--mask", mask, "--out", tmp_path / "out") == 0
    assert submit(api, scans, "--mask", mask, "--out", tmp_path / "out") == 2

    (stored,) = api.jobs.list(limit=2)
    assert stored.input.mask is not None


def test_a_mask_that_is_not_there_is_named(scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan, mask = scans / "one.nii.gz", scans / "none.nii.gz"

    assert main(["submit", str(scan), "--mask", str(mask)]) == 1

    told = capsys.readouterr().out
    assert told == f"{scan}  not sent  {mask}: there is no such file or folder\n"


@pytest.mark.parametrize(
    "wrong",
    [
        ["--label", "no"],
        ["--label", "=x"],
        ["--severities", "a"],
        ["--pork"],
        ["--retry-for", "-1"],
        ["--retry-for", "nan"],
    ],
)
def test_an_option_that_is_none_is_refused_with_the_usage(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["submit", "scan.nii.gz", *wrong])

    assert stop.value.code == 2


def test_the_options_of_the_command_are_those_of_the_api() -> None:
    assert set(OPTIONS) == JobParams.model_fields.keys()


def test_options_are_sent_as_they_were_given(scans: Path) -> None:
    given = ["--severities", "0.8,0.2", "--no-align", "--bias-correction", "--volume-index", "0"]
    with scripted_api(document({"id": "a", "state": "queued"})) as api:
        assert main(["submit", str(scans / "one.nii.gz"), "--no-wait", "--url", api.url, *given]) == 0

    (asked,) = api.asked
    query: dict[str, Any] = dict(each.split("=") for each in asked.path.partition("?")[2].split("&"))
    assert query == {
        "severities": "0.8%2C0.2",
        "align": "false",
        "bias_correction": "true",
        "volume_index": "0",
    }
