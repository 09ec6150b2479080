"""What `disyre submit` says of scans, and where their results are; a thread does the work."""

import json
from pathlib import Path

import pytest

from tests.cli.submitting import submit
from tests.service.live_api import LiveApi


def test_a_scan_that_is_refused_does_not_stop_the_others(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd, none = scans / "odd.nii.gz", scans / "none.nii.gz"
    odd.write_bytes(b"odd")

    assert submit(api, odd, none, scans / "one.nii.gz", "--out", tmp_path / "out") == 1

    refused, missing, succeeded = capsys.readouterr().out.splitlines()
    assert refused.startswith(f"{odd}  refused  415 not-an-image: expected NIfTI")
    assert missing == f"{none}  not sent  there is no such file or folder"
    assert succeeded == f"{scans}/one.nii.gz  succeeded  score 0.250  {tmp_path}/out/one"


def test_a_job_that_fails_says_why_and_the_exit_status_too(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(api, scans / "one.nii.gz", "--out", tmp_path / "out", "--label", "fail=yes") == 1

    line = f"{scans}/one.nii.gz  failed  not-brain-mr: expected a brain\n"
    assert capsys.readouterr().out == line
    assert not (tmp_path / "out").exists()


def test_without_waiting_a_job_for_each_scan_is_all_there_is(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(api, scans / "one.nii.gz", "--no-wait", "--out", tmp_path / "out") == 0

    (stored,) = api.jobs.list(limit=2)
    assert capsys.readouterr().out == f"{scans}/one.nii.gz  queued  job {stored.id}\n"
    assert not (tmp_path / "out").exists()


def test_for_machines_there_is_a_json_object_for_each_scan(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = scans / "odd.zip"
    odd.write_bytes(b"odd")

    assert submit(api, scans / "one.nii.gz", odd, "--json", "--out", tmp_path / "out") == 1

    captured = capsys.readouterr()
    one, other = (json.loads(line) for line in captured.out.splitlines())
    assert captured.err == ""
    assert (one["state"], one["score"], one["problem"]) == ("succeeded", 0.25, None)
    assert one["results"] == str(tmp_path / "out" / "one")
    assert one["job"]["intended_use"]
    assert (other["scan"], other["state"], other["job"]) == (str(odd), "refused", None)
    assert other["problem"]["code"] == "not-an-image"
