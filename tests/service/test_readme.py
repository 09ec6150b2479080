"""The first lines of the README work as they stand there."""

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.live import ROOT, wait_for
from tests.service.live_api import LiveApi, succeed

ADDRESS = "http://127.0.0.1:8000"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_lines_fetch_the_results_of_a_job_that_takes_longer_than_one_wait(
    api: LiveApi, tmp_path: Path
) -> None:
    commands = re.findall(
        r"^    (ID=.*\\\n.*|while curl .*\\\n.*|curl .*results/.*)$",
        (ROOT / "README.md").read_text(),
        re.MULTILINE,
    )
    assert len(commands) == 4
    script = "\n".join(commands).replace(ADDRESS, str(api.client.base_url)).replace("wait=25", "wait=0.1")
    folder = tmp_path / "cwd"
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    log = (tmp_path / "log").open("w+")

    with log, subprocess.Popen(["bash", "-ec", script], cwd=folder, stdout=log, stderr=log) as run:
        polls = lambda: (tmp_path / "log").read_text().count('"state":"queued"') > 4  # noqa: E731
        wait_for(lambda: polls() or run.poll() is not None, "it has polled more than once")
        (job,) = api.jobs.list(limit=2)
        running = api.jobs.update(job.id, lambda job: job.start(at=datetime.now(UTC)))
        files = {"anomaly.nii.gz": b"map", "preview.png": b"picture"}
        succeed(api, running, files)
        assert run.wait(60) == 0, (tmp_path / "log").read_text()

    assert {name: (folder / name).read_bytes() for name in files} == files
