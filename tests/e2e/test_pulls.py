"""A whole stack fetches a series from an archive; its logs say nothing of whose it is."""

import json
import re
import subprocess
from pathlib import Path

import httpx

from tests.e2e.stack import serving
from tests.live import ROOT
from tests.service.pulls.archive import SERIES, SOURCE, STUDY, archive, send
from tests.toy_model import make_toy_model

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def shown(port: int) -> str:
    """The lines of docs/api.md that have a series fetched, as they stand there, but for the places."""
    lines: str
    (lines,) = re.findall(r"^    SOURCE=.*\n    curl .*$", API, re.MULTILINE)
    for example, ours in (
        ("1.2.840.1.7", SERIES),
        ("1.2.840.1", STUDY),
        ("localhost:8000", f"127.0.0.1:{port}"),
    ):
        lines = lines.replace(example, ours)
    return lines.replace("curl", "curl -sS --fail")


def test_a_series_is_fetched_and_no_log_has_its_uids(tmp_path: Path) -> None:
    make_toy_model(tmp_path / "models")
    with (
        archive() as pacs,
        serving(tmp_path / "data", tmp_path / "models", DISYRE_PACS_FILE=str(pacs.file(tmp_path))) as serve,
    ):
        serve.wait_until_ready()
        answer = serve.post("/v1/jobs", json={"source": SOURCE})
        as_shown = subprocess.run(
            ["bash", "-ec", shown(serve.port)], check=True, capture_output=True, text=True
        )
        missing = serve.post("/v1/jobs", json={"source": {**SOURCE, "series": "1.2.3.4.5"}})
        serve.wait_until_finished(answer.json()["id"])
        pacs.answers = [lambda request: send(request, b"--", length=99)]
        broken = serve.post("/v1/jobs", json={"source": SOURCE})

        logs = b"".join(path.read_bytes() for path in (serve.data_dir / "logs").iterdir())

    assert (answer.status_code, missing.status_code) == (httpx.codes.ACCEPTED, httpx.codes.NOT_FOUND)
    assert json.loads(as_shown.stdout)["params"]["export"] == "pacs1"
    assert broken.json()["code"] == "series-incomplete"
    assert b"fetching from pacs1 is tried again: the archive's answer broke off" in logs
    assert not any(uid.encode() in logs for uid in (STUDY, f"series/{SERIES}", "1.2.3.4.5"))
