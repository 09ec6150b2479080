"""What docs/api.md shows works as it stands there: each `sh` block in order, the Python, the command."""

import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from disyre.client import Client, Conflict
from tests.dicom_phantom import encoded, make_series
from tests.e2e.stack import Serve, scan_bytes
from tests.live import ROOT
from tests.nifti_files import nifti_bytes
from tests.service.conftest import make_mask
from tests.toy_model import SLOW_MODEL
from tests.zip_files import zipped_images

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
ADDRESS = re.compile(r"http://(?:localhost|127\.0\.0\.1):8000")
SHELL = "\n".join(re.findall(r"^```sh\n(.*?)^```$", API, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")
ELSEWHERE = "\n".join(re.findall(r"^    (curl .*)$", API, re.MULTILINE))
"""Lines that need an archive, and are run with one (tests/pacs)."""
CURL = re.compile(r'\bcurl (?P<options>.*?)"?http://localhost:8000(?P<path>/[^\s")]*)(?P<more>[^|\n]*)')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all files that the document speaks of."""
    (tmp_path / "scan.nii.gz").write_bytes(scan_bytes())
    (tmp_path / "mask.nii.gz").write_bytes(nifti_bytes(make_mask((96, 96, 60)).voxels))
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "other.nii.gz").write_bytes(scan_bytes())
    (tmp_path / "series").mkdir()
    images = encoded(make_series(StudyInstanceUID="1.2.840", SeriesInstanceUID="1.2.840.1"))
    for number, content in enumerate(images):
        (tmp_path / "series" / f"{number}.dcm").write_bytes(content)
    (tmp_path / "study.zip").write_bytes(zipped_images(images))
    return tmp_path


def called() -> set[tuple[str, str]]:
    """Method and path of each call of the document, without ids and queries."""
    found = set()
    for call in CURL.finditer(SHELL + ELSEWHERE):
        options = call["options"] + call["more"]
        path = re.sub(r"\$\w+", "{}", call["path"].partition("?")[0])
        found.add((method_of(f" {options} "), path))
    return found


def method_of(options: str) -> str:
    """What curl takes these options for."""
    if method := re.search(r" -X (\w+) ", options):
        return method[1]
    if " -I " in options:
        return "HEAD"
    return "POST" if any(each in options for each in (" -F ", " -d ", "--data-binary")) else "GET"


def test_every_call_of_the_api_is_shown_as_a_line_to_run(serve: Serve) -> None:
    calls = called()
    missing = [
        f"{method.upper()} {path}"
        for path, methods in serve.get("/openapi.json").json()["paths"].items()
        for method in methods
        if not any(m == method.upper() and re.fullmatch(as_pattern(path), p) for m, p in calls)
    ]

    assert missing == []


def as_pattern(path: str) -> str:
    """Of the paths that a path with parameters stands for."""
    return re.sub(r"\{\w+\}", "[^/]+", path)


@pytest.mark.skipif(not all(map(shutil.which, ("curl", "openssl"))), reason="no curl or openssl here")
def test_the_lines_work_one_after_the_other(serve: Serve, folder: Path) -> None:
    url = "http://localhost:8000/v1/jobs"
    slow = f'curl -F file=@scan.nii.gz -F \'params={{"model": "{SLOW_MODEL}"}}\' {url}'
    script = re.sub(r"^OTHER=", f"{slow}\nOTHER=", SHELL, flags=re.MULTILINE)  # it waits behind this one
    script = re.sub(r"^curl -C -", "truncate -s 100 anomaly.nii.gz\ncurl -C -", script, flags=re.MULTILINE)
    script = re.sub(r"/versions/\d+", "/versions/1", script)
    setup = f"""set -exo pipefail; KEY=none
        curl() {{ command curl -sS --fail "$@"; }}
        python3() {{ {sys.executable} "$@"; }}
        """
    address = f"http://127.0.0.1:{serve.port}"
    with Client(address) as client:
        run = subprocess.run(
            ["bash", "-c", ADDRESS.sub(address, setup + script + "\necho $ID > id")],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        for job in client.list(states=["queued", "running"]):
            with suppress(Conflict):  # it ended meanwhile
                client.cancel(job)

        assert run.returncode == 0, run.stderr + run.stdout[-2000:]
        arrived = (folder / "anomaly.nii.gz").read_bytes()
        whole, *_ = client.results((folder / "id").read_text().strip(), folder / "again")
    assert whole.name == "anomaly.nii.gz"
    assert arrived == whole.read_bytes()
    assert (folder / "preview.png").exists()


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with this checkout to import from."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_python_works(serve: Serve, folder: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", API, re.MULTILINE | re.DOTALL)

    run = run_python(folder, "-c", ADDRESS.sub(f"http://127.0.0.1:{serve.port}", code))

    assert run.returncode == 0, run.stderr
    assert run.stdout == "", "the bar is for terminals, and nothing went wrong"
    assert len(list((folder / "out").iterdir())) == 6


def test_the_command_works(serve: Serve, folder: Path) -> None:
    (line,) = re.findall(r"^    disyre (submit .*)$", API, re.MULTILINE)

    run = run_python(folder, "-m", "cli", *ADDRESS.sub(f"http://127.0.0.1:{serve.port}", line).split())

    assert run.returncode == 0, run.stderr + run.stdout
    assert [line.split()[:2] for line in run.stdout.splitlines()] == [
        ["scan.nii.gz", "succeeded"],
        ["scans/other.nii.gz", "succeeded"],
    ]
    assert (folder / "out" / "other" / "summary.json").exists()
