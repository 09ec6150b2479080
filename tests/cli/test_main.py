"""The command line."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.examples import find_scans
from cli.main import main


@pytest.mark.parametrize(
    ("library", "command", "environment"), [("torch", "train", "train"), ("httpx", "demo", "serve")]
)
def test_a_missing_library_is_named_with_a_command_that_has_it(
    tmp_path: Path, library: str, command: str, environment: str
) -> None:
    (tmp_path / f"{library}.py").write_text(f"raise ModuleNotFoundError('not here', name='{library}')")
    run = f"import sys; from cli.main import main; sys.exit(main(['{command}']))"

    done = subprocess.run(
        [sys.executable, "-c", run],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    hint = f"in a checkout of disyre: scripts/run {environment} disyre {command}"
    assert (done.returncode, done.stderr) == (1, f"disyre: this needs {library}; {hint}\n")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["serve", "--pork", "1"]])
def test_what_is_no_command_is_refused_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)

    assert stop.value.code == 2
    assert "usage: disyre" in capsys.readouterr().err


def test_the_help_says_what_it_may_be_used_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])

    assert "Research use only" in capsys.readouterr().out


COMMANDS = (
    ["serve"],
    ["demo"],
    ["submit"],
    ["score"],
    ["keys", "new"],
    ["keys", "list"],
    ["keys", "revoke"],
    ["audit", "verify"],
)


@pytest.mark.parametrize("command", [[], *COMMANDS], ids=" ".join)
def test_the_help_of_each_command_says_what_its_exit_statuses_mean(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*command, "--help"])

    assert re.search(r"Exit status: 0 if .*; 1 if .*; 2 if", " ".join(capsys.readouterr().out.split()))


@pytest.mark.parametrize(
    ("command", "defaults"),
    [
        ("serve", ["8000", "data"]),
        ("demo", ["examples", "out"]),
        ("submit", ["http://127.0.0.1:8000", "no key", "out", "<scan>_mask.nii.gz beside it", "60"]),
    ],
)
def test_the_help_says_what_holds_without_an_option(
    command: str, defaults: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])

    said = " ".join(capsys.readouterr().out.split())
    assert [each for each in defaults if f"default: {each}" not in said] == []


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != ["submit"]], ids=" ".join)
def test_what_a_command_does_not_know_is_told_with_the_usage_of_that_command(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*command, *(["x"] if command[1:] and command[1] != "list" else []), "--pork"])

    assert f"disyre {' '.join(command)}: error: unrecognized arguments: --pork" in capsys.readouterr().err


def test_a_scan_is_found_with_the_mask_that_lies_beside_it(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "head.zip", "head_mask.nii.gz", "README.md"):
        (tmp_path / name).touch()

    assert find_scans(tmp_path) == [
        (tmp_path / "a.nii.gz", None),
        (tmp_path / "head.zip", tmp_path / "head_mask.nii.gz"),
    ]


def test_a_scan_that_is_scored_here_takes_no_options_of_a_queue(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["score", "scan.nii", "out", "--priority", "high"])

    assert "unrecognized arguments: --priority high" in capsys.readouterr().err


def test_a_stack_that_is_to_listen_elsewhere_is_refused_and_not_started_on_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISYRE_LISTEN_HOST", "192.0.2.1")

    assert main(["serve", "--port", "28731", "--data-dir", str(tmp_path)]) == 1

    assert "listens on 127.0.0.1 only" in capsys.readouterr().err
