"""The first lines of the README work as they stand there."""

import re
import shutil
import subprocess

import pytest

from tests.live import ROOT
from tests.service.live_api import LiveApi

ADDRESS = "http://127.0.0.1:8000"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_line_that_submits_the_example_keeps_the_id_that_the_next_line_asks_for(api: LiveApi) -> None:
    commands = re.findall(
        r"^    (ID=.*\\\n.*|curl .*wait=.*)$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert [command[:3] for command in commands] == ["ID=", "cur"]
    script = "\n".join(commands).replace(ADDRESS, str(api.client.base_url)).replace("wait=25", "wait=0")

    run = subprocess.run(["bash", "-ec", script], cwd=ROOT, capture_output=True, text=True, check=True)

    (job,) = api.jobs.list(limit=2)
    assert run.stdout.startswith(f'{{"id":"{job.id}"')
