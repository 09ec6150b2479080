"""Whether the worker scores on a GPU, how long it takes, and how far its map is from that of a CPU.

    python benchmarks/score_on_gpu.py SCAN [SCAN...] [--repeats 3] [--devices cpu cuda] [--out FOLDER]

Wants the extras service, worker-gpu, embedded and client, and the packages of docker/cuda.txt. Starts the
stack on each device, posts each scan over HTTP, and compares the last device's maps with the first one's.
Then starts workers that cannot have what they are told to use: they have to say so, and to end with 78.
Prints JSON lines; the exit status is 1 if anything did not go as it has to.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from cli.broker import make_embedded_broker
from cli.examples import stem
from cli.process import Process, Program
from cli.stack import free_port, running_stack
from disyre.adapters.nifti import read_nifti
from disyre.adapters.settings import EX_CONFIG
from disyre.client import Client
from disyre.errors import Misconfigured
from worker.onnx_session import PROVIDERS
from worker.results import ANOMALY_MAP, SUMMARY

Row = dict[str, Any]

REFUSED: Final[dict[str, dict[str, str]]] = {
    "TensorRT without its libraries": {"DISYRE_PROVIDER": "tensorrt"},
    "CUDA without a GPU": {"DISYRE_PROVIDER": "cuda", "CUDA_VISIBLE_DEVICES": ""},
}
"""Workers that must not start, and what they are told."""
_START_WITHIN_S: Final = 60.0


def main() -> int:
    """Measure and print; 1 if anything did not go as it has to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--devices", nargs="+", choices=list(PROVIDERS), default=["cpu", "cuda"])
    parser.add_argument("--out", type=Path, help="keep the results of each device's last runs here")
    arguments = parser.parse_args()
    _print(_runtime())
    right = True
    with tempfile.TemporaryDirectory() as folder:
        out = arguments.out or Path(folder) / "out"
        for device in arguments.devices:
            try:
                for row in _on(device, arguments.scans, arguments.repeats, out / device):
                    right &= row.get("provider", PROVIDERS[device]) == PROVIDERS[device]
                    _print(row)
            except Misconfigured as error:
                right = False
                _print({"part": "start", "device": device, "error": str(error)})
        first, last = arguments.devices[0], arguments.devices[-1]
        for scan in arguments.scans:
            _print(_difference(scan, out / first / stem(scan), out / last / stem(scan)))
        for row in _refusals(Path(folder)):
            right &= row["exit_status"] == EX_CONFIG
            _print(row)
    return 0 if right else 1


def _print(row: Row) -> None:
    """One line of JSON."""
    print(json.dumps(row), flush=True)


def _runtime() -> Row:
    return {
        "part": "runtime",
        "onnxruntime": ort.__version__,
        "providers": ort.get_available_providers(),
        "gpu": _nvidia_smi("name,driver_version,memory.total"),
        "cpus": len(os.sched_getaffinity(0)),
    }


def _on(device: str, scans: list[Path], repeats: int, out: Path) -> Iterator[Row]:
    """Score all scans on a device, each several times in a row."""
    os.environ["DISYRE_PROVIDER"] = device
    idle = _nvidia_smi("memory.used")
    start = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as data_dir,
        running_stack(port=free_port(), data_dir=Path(data_dir)) as stack,
        Client(stack.url) as client,
    ):
        yield {"part": "start", "device": device, "ready_s": round(time.perf_counter() - start, 2)}
        for scan in scans:
            for run in range(1, repeats + 1):
                yield {"part": "scan", "device": device, "run": run} | _score(client, scan, out / stem(scan))
        used = _nvidia_smi("memory.used")
    # The largest process so far: a CPU has to come before a GPU.
    host_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    yield {"part": "memory", "device": device, "gpu_before": idle, "gpu": used, "host_mib": host_mib}


def _score(client: Client, scan: Path, out: Path) -> Row:
    start = time.perf_counter()
    job = client.wait(client.submit(scan))
    done_s = time.perf_counter() - start
    if not job.has_succeeded:
        error = job.error and job.error.model_dump()
        return {"scan": scan.name, "state": job.state, "error": error, "provider": None}
    client.results(job, out)
    fetched_s = time.perf_counter() - start
    summary = _summary(out)
    return {
        "scan": scan.name,
        "state": job.state,
        "provider": summary["provider"],
        "post_to_succeeded_s": round(done_s, 2),
        "post_to_fetched_s": round(fetched_s, 2),
        "stages_s": {name: round(s, 3) for name, s in summary["timings_s"].items()},
        "anomaly_score": summary["anomaly_score"],
    }


def _difference(scan: Path, one: Path, other: Path) -> Row:
    """How far two maps of a scan are apart; nothing but the name if there are no two."""
    if not all((folder / ANOMALY_MAP).exists() for folder in (one, other)):
        return {"part": "difference", "scan": scan.name, "largest": None}
    maps = [read_nifti(folder / ANOMALY_MAP).voxels for folder in (one, other)]
    apart = np.abs(maps[0] - maps[1])
    scores = [_summary(folder)["anomaly_score"] for folder in (one, other)]
    return {
        "part": "difference",
        "scan": scan.name,
        "largest": float(apart.max()),
        "of": float(maps[0].max()),
        "p99.9": float(np.quantile(apart[maps[0] > 0], 0.999)),
        "anomaly_scores": scores,
    }


def _summary(folder: Path) -> Row:
    summary: Row = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return summary


def _refusals(folder: Path) -> Iterator[Row]:
    with _broker(folder / "broker") as url:
        for name, told in REFUSED.items():
            environment = {**os.environ, "DISYRE_BROKER_URL": url, "DISYRE_DATA_DIR": str(folder), **told}
            yield {"part": "refusal", "of": name, **_refusal(environment)}


def _refusal(environment: dict[str, str]) -> Row:
    """How a worker ends that must not start, and what it says; one that goes on is ended with its child."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", "worker"]
        worker = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            exit_status = worker.wait(_START_WITHIN_S)
        except subprocess.TimeoutExpired:
            exit_status = None
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        log.seek(0)
        output = log.read()
    said = [line for line in output.splitlines() if line.startswith("disyre worker:")]
    return {
        "exit_status": exit_status,
        "says": said or output[-500:],
        "after_s": round(time.perf_counter() - start, 2),
    }


@contextmanager
def _broker(folder: Path) -> Iterator[str]:
    """The address of a broker of our own."""
    broker = make_embedded_broker(folder)
    process = Process(Program("broker", broker.command, folder / "broker.log"))
    process.start()
    try:
        deadline = time.monotonic() + _START_WITHIN_S
        while not broker.is_up() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield broker.url
    finally:
        process.stop()
        broker.clean_up()


def _nvidia_smi(fields: str) -> str | None:
    """What the driver says of the first GPU; None where there is none."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, f"--query-gpu={fields}", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    return answer.stdout.splitlines()[0] if answer.returncode == 0 and answer.stdout else None


if __name__ == "__main__":
    sys.exit(main())
