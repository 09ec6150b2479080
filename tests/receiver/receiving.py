"""A receiver as a process, DCMTK's programs beside it, and series to send."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

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
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        rules = self.folder / "rules.toml"
        rules.write_text(RULES.format(port=self.pacs_port), encoding="utf-8")
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
            assert "has ended: failed" not in self.text(), self.text()
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
def live_pacs(folder: Path, port: int) -> Iterator[Path]:
    """DCMTK's node that takes everything, for the length of a block; the folder with what it took."""
    folder.mkdir(exist_ok=True)
    command = ["/usr/bin/storescp", "-aet", "PACS", "+xa", "-od", str(folder), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    echo = ["/usr/bin/echoscu", "-aec", "PACS", "127.0.0.1", str(port)]
    try:
        wait_for(
            lambda: subprocess.run(echo, capture_output=True, timeout=20, check=False).returncode == 0,
            "the PACS answers",
        )
        yield folder
    finally:
        process.kill()
        process.wait()
