"""A real Orthanc on loopback, with the plugin that ships, for tests."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.live import ROOT, free_port, wait_for

ORTHANC: Final = Path("/usr/sbin/Orthanc")
DCMSEND: Final = Path("/usr/bin/dcmsend")
"""Sends files as they are stored, compressed or not."""
_PLUGINS: Final = Path("/usr/share/orthanc/plugins")
_NEEDED: Final = (ORTHANC, DCMSEND, *(_PLUGINS / f"libOrthanc{name}.so" for name in ("Python", "DicomWeb")))
IS_THERE: Final = all(path.exists() for path in _NEEDED)
STABLE_AFTER_S: Final = 2
_SHIPPED: Final = ROOT / "docker" / "orthanc"


@dataclass(frozen=True)
class Orthanc:
    """An Orthanc that runs."""

    http_port: int
    dicom_port: int
    log: Path

    def get(self, path: str) -> Any:
        """A document."""
        answer = httpx.get(f"http://127.0.0.1:{self.http_port}{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def content(self, path: str) -> bytes:
        """A file."""
        answer = httpx.get(f"http://127.0.0.1:{self.http_port}{path}", timeout=60)
        answer.raise_for_status()
        return answer.content

    def metadata(self, series: str, name: str) -> str:
        """What the plugin has noted of a series; nothing if it has not."""
        answer = httpx.get(f"http://127.0.0.1:{self.http_port}/series/{series}/metadata/{name}", timeout=30)
        return answer.text if answer.is_success else ""

    def store(self, folder: Path) -> None:
        """Send all files of a folder by C-STORE."""
        command = [
            str(DCMSEND),
            "+sd",
            "+r",
            "-aec",
            "ORTHANC",
            "127.0.0.1",
            str(self.dicom_port),
            str(folder),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=300)

    def series(self) -> list[Any]:
        """All series."""
        return list(self.get("/series?expand"))


@contextmanager
def running_orthanc(
    folder: Path, api_url: str, *, stable_after_s: int = STABLE_AFTER_S, **environment: str
) -> Iterator[Orthanc]:
    """Orthanc with the configuration that ships, but for places, ports and how long a series is quiet."""
    folder.mkdir(exist_ok=True)
    orthanc = Orthanc(free_port(), free_port(), folder / "orthanc.log")
    settings = json.loads((_SHIPPED / "orthanc.json").read_text()) | {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": orthanc.http_port,
        "DicomPort": orthanc.dicom_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "StableAge": stable_after_s,
        "PythonScript": str(_SHIPPED / "disyre_orthanc.py"),
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with orthanc.log.open("ab") as log:
        process = subprocess.Popen(
            [ORTHANC, folder / "orthanc.json"],
            stdout=log,
            stderr=log,
            env={**os.environ, "DISYRE_URL": api_url, **environment},
        )
    try:
        wait_for(lambda: _answers(orthanc, process), "Orthanc answers")
        yield orthanc
    finally:
        process.terminate()
        process.wait(30)


def _answers(orthanc: Orthanc, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, orthanc.log.read_text()
    try:
        return bool(orthanc.get("/system"))
    except httpx.HTTPError:
        return False
