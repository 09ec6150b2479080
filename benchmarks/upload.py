"""What a large upload costs: memory of the API, and time against a plain copy of the same file.

    scripts/run dev python -m benchmarks.upload [--gb 1.0] [--repeats 3]

Starts a broker and the API without a worker. A NIfTI of noise of that size is copied with its SHA-256, block
by block as a program would, and made durable; then uploaded as the body itself, and as a form, until the 202
is there. All in turns, as disks and neighbours change; prints a JSON line for each, and the medians.
"""

import argparse
import hashlib
import json
import os
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import nibabel as nib
import numpy as np
import psutil

from benchmarks.quiet_api import QuietApi, cpu_s, quiet_api
from cli.stack import HOST

_BLOCK_BYTES: Final = 2**20
_SAMPLE_S: Final = 0.01
_FORM_HEAD: Final = (
    b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n"
)
_FORM_TAIL: Final = b"\r\n--edge--\r\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        source = Path(folder) / "scan.nii"
        size_bytes = _write_scan(source, round(arguments.gb * 1e9))
        limits = {"DISYRE_MAX_VOXELS": str(size_bytes), "DISYRE_MAX_UPLOAD_BYTES": str(4 * size_bytes)}
        with quiet_api(Path(folder), **limits) as api:
            _upload(api, source, form=False)  # whatever is made once is there now
            ways: dict[str, Callable[[], float]] = {
                "copy with SHA-256, and fsync": lambda: _copy(source, Path(folder) / "data" / "copy"),
                "raw body": lambda: _upload(api, source, form=False),
                "form": lambda: _upload(api, source, form=True),
            }
            speeds: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(arguments.repeats):
                for name, do in ways.items():
                    _settle()
                    with _Watch(api.api) as watch:
                        seconds = do()
                    speeds[name].append(size_bytes / 1e6 / seconds)
                    print(
                        json.dumps({"way": name, "mb_s": round(speeds[name][-1]), **watch.seen()}), flush=True
                    )
    copy = statistics.median(speeds["copy with SHA-256, and fsync"])
    for name, each in speeds.items():
        median = statistics.median(each)
        print(json.dumps({"way": name, "median_mb_s": round(median), "of_copy": round(median / copy, 2)}))


@dataclass
class _Watch:
    """The resident memory of a process, and its processors' time, for the length of a block."""

    process: psutil.Process
    before_mib: float = 0.0
    most_mib: float = 0.0
    _cpu_s: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "_Watch":
        self.before_mib = self.most_mib = self._rss_mib()
        self._cpu_s = cpu_s(self.process)
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._ended.set()
        self._thread.join()
        self._cpu_s = cpu_s(self.process) - self._cpu_s

    def seen(self) -> dict[str, Any]:
        """What was seen."""
        return {
            "api_mib_before": round(self.before_mib),
            "rise_mib": round(self.most_mib - self.before_mib, 1),
            "api_cpu_s": round(self._cpu_s, 2),
        }

    def _look(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            self.most_mib = max(self.most_mib, self._rss_mib())

    def _rss_mib(self) -> float:
        return float(self.process.memory_info().rss) / 2**20


def _write_scan(path: Path, about_bytes: int) -> int:
    """A NIfTI of noise, with voxels of 16 bits; its size."""
    n = about_bytes // 2 // 1000 // 1000
    image = nib.Nifti1Image(np.zeros((1, 1, 1), np.int16), np.eye(4))
    image.header.set_data_shape((1000, 1000, n))
    image.header["scl_slope"], image.header["scl_inter"], image.header["vox_offset"] = 1, 0, 352
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(image.header.binaryblock + bytes(4))
        for _ in range(n):
            file.write(random.bytes(2 * 1000 * 1000))
    return path.stat().st_size


def _copy(source: Path, target: Path) -> float:
    """Seconds that it takes, read from memory as the upload is."""
    begun = time.perf_counter()
    sha256 = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as write:
        while block := read.read(_BLOCK_BYTES):
            sha256.update(block)
            write.write(block)
        write.flush()
        os.fsync(write.fileno())
    seconds = time.perf_counter() - begun
    target.unlink()
    return seconds


def _upload(api: QuietApi, source: Path, *, form: bool) -> float:
    """Seconds until it is answered; the job is removed."""
    size, kind, head, tail = source.stat().st_size, "application/octet-stream", b"", b""
    if form:
        kind, head, tail = "multipart/form-data; boundary=edge", _FORM_HEAD, _FORM_TAIL
    begun = time.perf_counter()
    with socket.create_connection((HOST, api.port)) as connection, source.open("rb") as file:
        connection.sendall(
            f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nConnection: close\r\n"
            f"Content-Length: {size + len(head) + len(tail)}\r\n\r\n".encode()
            + head
        )
        connection.sendfile(file)
        connection.sendall(tail)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    seconds = time.perf_counter() - begun
    if not answer.startswith(b"HTTP/1.1 202"):
        raise SystemExit(answer.decode())
    job = json.loads(answer.partition(b"\r\n\r\n")[2])
    httpx.delete(f"{api.url}/v1/jobs/{job['id']}").raise_for_status()
    return seconds


def _settle() -> None:
    """Leave nothing to be written that another one has left."""
    os.sync()


if __name__ == "__main__":
    main()
