"""The API as a process that cannot start as it was told to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from disyre.adapters.settings import EX_CONFIG
from tests.live import ROOT, wait_for
from tests.service.live_api import PATIENCE_S

COMMAND = [sys.executable, "-m", "service"]


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        (
            "DISYRE_MAX_UPLOAD_BYTE",
            "3",
            "unknown setting DISYRE_MAX_UPLOAD_BYTE; the nearest known one is DISYRE_MAX_UPLOAD_BYTES",
        ),
        (
            "DISYRE_MAX_FILES",
            "ZZCANARY",
            "wrong setting DISYRE_MAX_FILES: expected a whole number, got text of 8 characters",
        ),
        (
            "DISYRE_RETENTION_S",
            "999999999999",
            "wrong setting DISYRE_RETENTION_S: expected a number of at most 3153600000, got 999999999999",
        ),
        (
            "DISYRE_TOMBSTONE_S",
            "0",
            "wrong setting DISYRE_TOMBSTONE_S: expected a number of at least 1, got 0",
        ),
        (
            "DISYRE_DATA_DIR",
            "/dev/null",
            "expected a DISYRE_DATA_DIR that can be written to, got /dev/null/jobs: Not a directory",
        ),
        (
            "DISYRE_BROKER_URL_FILE",
            "/nowhere",
            "DISYRE_BROKER_URL_FILE cannot be read: No such file or directory",
        ),
    ],
)
def test_a_setting_that_is_wrong_ends_the_api_with_one_line(
    tmp_path: Path, setting: str, value: str, reason: str
) -> None:
    environment = {**os.environ, "DISYRE_DATA_DIR": str(tmp_path), setting: value}

    run = subprocess.run(
        COMMAND,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (run.returncode, run.stdout) == (EX_CONFIG, "")
    assert run.stderr == f"disyre API: cannot start: {reason}\n"


@pytest.mark.parametrize(("told", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_start_is_logged_with_its_settings_and_no_secret_and_ends_at_once_when_it_is_told_to(
    tmp_path: Path, told: signal.Signals, status: int
) -> None:
    environment = {
        "DISYRE_DATA_DIR": str(tmp_path / "data"),
        "DISYRE_LISTEN_PORT": "0",
        "DISYRE_BROKER_URL": "redis://:hunter2@127.0.0.1:1",
    }
    log = tmp_path / "log"
    with log.open("wb") as file:
        # Who ignores SIGINT, as what runs in the background does, has its children ignore it.
        command = ["env", "--default-signal=INT", *COMMAND]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stderr=file)
    try:
        wait_for(lambda: "running on http://127.0.0.1:" in log.read_text(), "the API listens")
        process.send_signal(told)

        assert process.wait(PATIENCE_S) == status
    finally:
        process.kill()
    text = log.read_text()
    assert "INFO service: settings: broker_url=**********, " in text
    assert "stall_timeout_s=10, " in text
    assert "hunter2" not in text
    assert "Traceback" not in text


def run_code(tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run some code where an API would find its settings."""
    settings = {"DISYRE_DATA_DIR": str(tmp_path), "DISYRE_BROKER_URL": "redis://127.0.0.1:1"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )


COUNTING = """
import gc
from service import __main__ as program
program.Server.run = lambda server: print(len(gc.get_objects()))
program.main()
"""


def test_collections_of_garbage_do_not_go_through_what_is_loaded(tmp_path: Path) -> None:
    run = run_code(tmp_path, COUNTING)

    assert int(run.stdout) < 1000  # of some 200,000 objects


LISTING = """
from disyre.adapters.dicom_inspection import inspect_dicom
from tests.dicom_phantom import encoded, make_series
print(len(inspect_dicom(encoded(make_series(8, SpecificCharacterSet="ZZCANARY")), print)))
"""


@pytest.mark.parametrize(
    ("start", "is_quoted"),
    [("", True), ("from service.__main__ import make_server; make_server()", False)],
    ids=["libraries by themselves", "the API"],
)
def test_what_stands_in_a_header_does_not_reach_the_log_by_a_library(
    tmp_path: Path, start: str, is_quoted: bool
) -> None:
    run = run_code(tmp_path, start + LISTING)

    assert run.stdout == "1\n"
    assert ("ZZCANARY" in run.stderr) is is_quoted
