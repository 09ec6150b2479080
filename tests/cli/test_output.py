"""A command that can print nothing any more says so in a line, and has failed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import main
from tests.cli.submitting import submit
from tests.disyre.client.scripted_api import job, problem, scripted_api
from tests.service.live_api import LiveApi

FULL = "No space left on device"
GO_ON = "    GET shows how each is, POST to its address with /cancel ends it"


def run_without_output(to: str, *arguments: str | Path) -> tuple[int, list[str]]:
    """Status and lines on stderr of a command that prints to a full disk, or to a pipe that nobody reads."""
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    out = os.open("/dev/full", os.O_WRONLY)
    if to == "pipe":
        reader, writer = os.pipe()
        os.dup2(writer, out)
        os.close(reader)
        os.close(writer)
    try:
        run = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(out)
    return run.returncode, run.stderr.splitlines()


@pytest.mark.parametrize(("to", "why"), [("disk", FULL), ("pipe", "Broken pipe")])
def test_a_job_that_goes_on_is_told_where_its_line_cannot_be(scans: Path, to: str, why: str) -> None:
    scan = scans / "one.nii.gz"
    with scripted_api(job()) as api:
        status, said = run_without_output(to, "submit", scan, "--no-wait", "--json", "--url", api.url)

    assert status == 1
    assert said == [
        f"disyre: the output cannot be written: {why}; 1 job goes on at the service, unless ended:",
        f"    {scan}  {api.url}/v1/jobs/a",
        GO_ON,
    ]


def test_a_job_is_canceled_only_if_somebody_ends_the_command(scans: Path) -> None:
    scan = scans / "one.nii.gz"
    arguments = ("submit", scan, "--no-wait", "--cancel-on-interrupt")
    with scripted_api(job()) as api:
        status, said = run_without_output("disk", *arguments, "--url", api.url)

    assert (status, said[-2]) == (1, f"    {scan}  {api.url}/v1/jobs/a")
    assert [asked.method for asked in api.asked] == ["POST"]


def test_where_nothing_goes_on_it_is_one_line(scans: Path) -> None:
    with scripted_api(problem(422, "not-an-image")) as api:
        status, said = run_without_output("disk", "submit", scans / "one.nii.gz", "--url", api.url)

    assert (status, said) == (1, [f"disyre: the output cannot be written: {FULL}"])


def test_so_it_is_where_there_is_nothing_to_send_and_of_keys(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "notes.txt").write_text("no scan")
    keys = tmp_path / "keys.toml"

    for arguments in (
        ("submit", tmp_path / "scans", "--json"),
        ("keys", "new", "lab", "--scopes", "read", "--file", keys),
        ("keys", "list", "--file", keys),
    ):
        status, said = run_without_output("disk", *arguments)
        assert (status, said) == (1, [f"disyre: the output cannot be written: {FULL}"])


def test_a_file_for_keys_of_sessions_that_cannot_be_written_to_is_a_line(
    api: LiveApi,
    scans: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "none" / "keys"))

    assert main(["submit", str(scans / "one.nii.gz"), "--url", "https://127.0.0.1:1"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "disyre: SSLKEYLOGFILE cannot be written to: No such file or directory\n"
    assert submit(api, scans / "one.nii.gz", "--no-wait") == 0, "no TLS is spoken"
