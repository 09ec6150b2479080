"""A receiver as a process, DCMTK's programs beside it, and series to send."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tests.builders import make_volume
from tests.dicom_phantom import make_series
from tests.e2e.stack import Serve
from tests.live import ROOT, free_port, wait_for

TOOLS = [Path("/usr/bin") / name for name in ("storescu", "echoscu", "storescp")]
without_dcmtk = pytest.mark.skipif(not all(map(Path.exists, TOOLS)), reason="needs DCMTK")


def needs_dcmtk(test: Callable[..., None]) -> Callable[..., None]:
    """A test that programs of DCMTK are there for."""
    marked: Callable[..., None] = pytest.mark.servers(without_dcmtk(test))
    return marked


RULES = """
[destinations.pacs]
ae_title = "PACS"
host = "127.0.0.1"
port = {port}

[[rules]]
name = "heads"
descriptions = ["*t1*"]
min_slices = 4
model = "t1w"
contrast = "T1w"
send_to = ["pacs"]
outputs = ["seg", "sr"]
"""


@dataclass
class LiveReceiver:
    """A receiver that can be killed and started again with the same spool."""

    folder: Path
    api_port: int = 9
    pacs_port: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    rules: str = RULES
    may_fail: bool = False
    """Whether a job may."""
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        rules = self.folder / "rules.toml"
        rules.write_text(self.rules.replace("{port}", str(self.pacs_port)), encoding="utf-8")
        environment = {
            "DISYRE_URL": f"http://127.0.0.1:{self.api_port}",
            "DISYRE_RECEIVER_RULES": str(rules),
            "DISYRE_RECEIVER_SPOOL": str(self.folder / "spool"),
            "DISYRE_RECEIVER_PORT": str(self.port),
            "DISYRE_RECEIVER_QUIET_S": "1",
            "DISYRE_RECEIVER_CALLERS": "STORESCU,ECHOSCU,PYNETDICOM",
            **self.settings,
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", "receive"],
                env={**os.environ, **environment},
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.log_has("receives as", times=self.text().count("receives as") + 1)

    def text(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def log_has(self, words: str, *, times: int = 1, within_s: float = 120) -> None:
        """Wait until the log has some words so often."""

        def look() -> bool:
            assert self.process.poll() is None, self.text()
            assert self.may_fail or "has ended: failed" not in self.text(), self.text()
            return self.text().count(words) >= times

        wait_for(look, f"the log has '{words}'", within_s=within_s)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kept(self) -> list[Path]:
        """The images of all series."""
        return sorted((self.folder / "spool" / "series").glob("*/*"))

    def store(self, *files: Path, options: tuple[str, ...] = ("-aec", "DISYRE")) -> int:
        """Send files with DCMTK; its exit status."""
        command = ["/usr/bin/storescu", *options, "127.0.0.1", str(self.port), *map(str, files)]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    def echo(self, *options: str) -> int:
        command = ["/usr/bin/echoscu", *options, "127.0.0.1", str(self.port)]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


@contextmanager
def receiving(receiver: LiveReceiver) -> Iterator[LiveReceiver]:
    """A receiver for the length of a block."""
    receiver.start()
    try:
        yield receiver
    finally:
        if receiver.process.poll() is None:
            receiver.kill()


@contextmanager
def live_pacs(folder: Path, port: int, *, options: tuple[str, ...] = ()) -> Iterator[Path]:
    """DCMTK's node that takes everything, for the length of a block; the folder with what it took.

    `options` are those of TLS, which who asks whether it is there has too.
    """
    folder.mkdir(exist_ok=True)
    command = ["/usr/bin/storescp", *options, "-aet", "PACS", "+xa", "-od", str(folder), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    echo = ["/usr/bin/echoscu", *options, "-aec", "PACS", "127.0.0.1", str(port)]
    try:
        wait_for(
            lambda: subprocess.run(echo, capture_output=True, timeout=20, check=False).returncode == 0,
            "the PACS answers",
        )
        yield folder
    finally:
        process.kill()
        process.wait()


def series_in(folder: Path, name: str, n_slices: int = 60, *, is_flat: bool = False) -> list[Path]:
    """Files of a series that is of its own by its name; one that is flat cannot be scored."""
    uid = pydicom.uid.generate_uid(entropy_srcs=[name])
    made = make_series(
        n_slices,
        shape=(96, 96),
        spacing_mm=(1.0, 1.0),
        gap_mm=1.0,
        SeriesDescription=f"t1 {name}",
        SeriesInstanceUID=uid,
        SeriesNumber=7,
    )
    planes = np.moveaxis(make_volume((96, 96, n_slices)).voxels, 2, 0).astype(np.uint16)
    if is_flat:
        planes[:] = 7
    folder.mkdir(exist_ok=True)
    files = []
    for number, image in enumerate(made):
        image.PixelData = planes[number].T.tobytes()
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{uid[:50]}.{number}"  # type: ignore[assignment]
        image.save_as(folder / f"{number:03d}")
        files.append(folder / f"{number:03d}")
    return files


def jobs_of(stack: Serve) -> int:
    return len(stack.get("/v1/jobs?limit=100").json()["jobs"])
