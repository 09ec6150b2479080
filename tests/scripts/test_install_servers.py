"""`scripts/install-servers`, where there is nothing for it to do and where it cannot do anything.

That it installs, and starts nothing, needs a machine to throw away; tests of PACS run on what it installs.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.live import ROOT

_SCRIPT = ROOT / "scripts" / "install-servers"
_PACKAGES = ("orthanc", "orthanc-dicomweb", "orthanc-python", "dcmtk", "dicom3tools", "chromium")


def test_where_all_is_there_nothing_is_installed(tmp_path: Path) -> None:
    run = _run(tmp_path, **{"dpkg-query": "printf installed"})

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("programs", "reason"),
    [
        ({"dpkg-query": "exit 1"}, "expected apt-get"),
        ({}, "expected apt-get"),
        ({"dpkg-query": "exit 1", "apt-get": "exit 9", "id": "echo 1000"}, "expected to be root"),
    ],
)
def test_where_nothing_can_be_installed_it_says_why_and_what_is_missing(
    tmp_path: Path, programs: dict[str, str], reason: str
) -> None:
    run = _run(tmp_path, **programs)

    assert run.returncode == 1
    assert run.stderr == f"install-servers: {reason}; missing: {' '.join(_PACKAGES)}\n"


def test_ci_goes_on_without_them() -> None:
    (call,) = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if _SCRIPT.name in line]

    assert call.startswith("scripts/install-servers || echo ")
    assert call.endswith(">&2")


def _run(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """The script on a machine that has bash, and of other programs these alone, each a line of sh."""
    for name, line in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    environment = {**os.environ, "PATH": str(folder)}
    return subprocess.run(
        ["/bin/bash", _SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
