"""Orthanc on loopback, as Debian has it, with its DICOMweb plugin."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.live import free_port, wait_for

PROGRAM: Final = Path("/usr/sbin/Orthanc")
PLUGIN: Final = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER: Final = "disyre"
PASSWORD: Final = "only-in-tests"


@dataclass(frozen=True)
class Orthanc:
    """A running archive."""

    url: str

    def get(self, path: str) -> Any:
        """What its own API answers."""
        return (
            httpx.get(f"{self.url}{path}", auth=(USER, PASSWORD), trust_env=False).raise_for_status().json()
        )

    def store(self, file: bytes) -> None:
        """Have an instance."""
        answer = httpx.post(
            f"{self.url}/instances", content=file, auth=(USER, PASSWORD), trust_env=False, timeout=30
        )
        answer.raise_for_status()

    def forget(self) -> None:
        """Have nothing any more."""
        for patient in self.get("/patients"):
            answer = httpx.delete(
                f"{self.url}/patients/{patient}", auth=(USER, PASSWORD), trust_env=False, timeout=60
            )
            answer.raise_for_status()

    def file(self, instance: str) -> bytes:
        """An instance, by its own id of it."""
        answer = httpx.get(
            f"{self.url}/instances/{instance}/file", auth=(USER, PASSWORD), trust_env=False, timeout=60
        )
        return answer.raise_for_status().content

    def series_of(self, study: str) -> list[Any]:
        """All series of a study, by its StudyInstanceUID."""
        return [
            each
            for found in self.get("/studies?expand")
            if found["MainDicomTags"]["StudyInstanceUID"] == study
            for each in self.get(f"/studies/{found['ID']}/series")
        ]

    @property
    def dicomweb(self) -> str:
        return f"{self.url}/dicom-web"


@contextmanager
def orthanc(folder: Path, port: int | None = None, **more: Any) -> Iterator[Orthanc]:
    """An archive for the length of a block; nothing but this machine reaches its HTTP."""
    port = port or free_port()
    settings = {
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "Plugins": [str(PLUGIN)],
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        **more,
    }
    folder.mkdir(exist_ok=True)
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([PROGRAM, folder / "orthanc.json"], stdout=log, stderr=log)
    try:
        wait_for(lambda: _answers(port), "Orthanc answers", within_s=60)
        yield Orthanc(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/system", trust_env=False).status_code == 401
    except httpx.HTTPError:
        return False
