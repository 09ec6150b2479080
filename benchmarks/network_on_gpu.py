"""How many slices a second the network alone restores on a GPU, by batch size and options of ONNX Runtime.

    python benchmarks/network_on_gpu.py SCAN [--device cuda] [--batches 1 8 32 64]

Slices are those of a skull-stripped scan. Each row is one session and one batch size: seconds to load, for
the first call (cuDNN plans convolutions then) and for a later one (median), and the largest difference from
the CPU's answer. The first rows are a CPU's, the next have the worker's own options. Prints JSON lines.
"""

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from disyre import schedule
from disyre.adapters.nifti import read_nifti
from disyre.model_package import ModelPackage
from disyre.model_shelf import ModelShelf
from disyre.types import Batch
from worker.onnx_session import CUDA_OPTIONS, PROVIDERS, check_device, reason_of
from worker.settings import Device

MODELS: Final = Path(__file__).parents[1] / "models"
VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "as the worker": {},
    "TF32": {"use_tf32": 1},
    "exhaustive search": {"cudnn_conv_algo_search": "EXHAUSTIVE"},
    "default search": {"cudnn_conv_algo_search": "DEFAULT"},
    "channels last": {"prefer_nhwc": 1},
    "channels last, TF32": {"prefer_nhwc": 1, "use_tf32": 1},
    "bound": {},
    "graph": {"enable_cuda_graph": 1},
}
"""Options over those of the worker. The last two leave all data on the GPU; a graph is recorded once."""
_BOUND: Final = ("bound", "graph")
_REPEATS: Final = 10
_AT_MOST_S: Final = 1.0

Run = Callable[[], Batch | None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--model", default="t1w")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32, 64])
    arguments = parser.parse_args()
    package = ModelShelf(MODELS).find(arguments.model)
    slices = _slices(arguments.scan, package.manifest.grid.stride)
    check_device(arguments.device)
    if arguments.device == "cuda":
        ort.preload_dlls()
    expected = {}
    cpu, load_s = _load(package, "cpu", {})
    for n in arguments.batches:
        inputs = _inputs(package, slices[:n])
        (expected[n],) = cpu.run(["restored"], inputs)
        _print({"on": "cpu", "load_s": load_s} | _measure(_plain(cpu, inputs), n, expected[n]))
    for name, options in VARIANTS.items():
        try:
            for n in arguments.batches if name == "as the worker" else arguments.batches[1:-1]:
                # A session for each batch size, so that every first call is one.
                session, load_s = _load(package, arguments.device, options)
                inputs = _inputs(package, slices[:n])
                run = (_bound if name in _BOUND else _plain)(session, inputs)
                row = {"on": session.get_providers()[0], "options": name, "load_s": load_s}
                _print(row | {"nodes": _nodes(session)} | _measure(run, n, expected[n]))
        except (RuntimeError, ort_errors.Fail, ort_errors.RuntimeException) as error:
            _print({"options": name, "error": reason_of(str(error))[:300]})


def _print(row: dict[str, Any]) -> None:
    print(json.dumps(row), flush=True)


def _slices(scan: Path, stride: int) -> Batch:
    """The axial slices with the most brain in them, in [0, 1], of edges that the network takes."""
    voxels = read_nifti(scan).voxels
    voxels = np.clip(voxels / np.quantile(voxels[voxels > 0], 0.99), 0, 1)
    edges = [n // stride * stride for n in voxels.shape[:2]]
    slices = voxels[: edges[0], : edges[1]].transpose(2, 0, 1)[:, np.newaxis]
    order = np.argsort(-(slices > 0).mean(axis=(1, 2, 3)), kind="stable")
    return np.ascontiguousarray(slices[order], dtype=np.float32)


def _inputs(package: ModelPackage, x: Batch) -> dict[str, Any]:
    condition = schedule.condition(package.manifest.scan.severities[0])
    return {"image": x, "condition": np.full(len(x), condition, dtype=np.int64)}


def _load(
    package: ModelPackage, device: Device, options: dict[str, Any]
) -> tuple[ort.InferenceSession, float]:
    start = time.perf_counter()
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    provider = (PROVIDERS[device], CUDA_OPTIONS | options if device == "cuda" else {})
    session = ort.InferenceSession(
        package.verified_network(), settings, providers=[provider], enable_fallback=0
    )
    return session, round(time.perf_counter() - start, 3)


def _nodes(session: ort.InferenceSession) -> dict[str, int]:
    """How many nodes of the network run where."""
    nodes: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        nodes[part.ep_name] += len(part.get_nodes())
    return dict(nodes)


def _plain(session: ort.InferenceSession, inputs: dict[str, Any]) -> Run:
    """A call as the worker makes it: from memory of the host, and back."""

    def run() -> Batch:
        (restored,) = session.run(["restored"], inputs)
        return np.asarray(restored)

    return run


def _bound(session: ort.InferenceSession, inputs: dict[str, Any]) -> Run:
    """A call that leaves everything on the device, and gives nothing back."""
    device = "cuda" if session.get_providers()[0] == PROVIDERS["cuda"] else "cpu"
    binding = session.io_binding()
    held = {name: ort.OrtValue.ortvalue_from_numpy(value, device, 0) for name, value in inputs.items()}
    for name, value in held.items():
        binding.bind_ortvalue_input(name, value)
    restored = ort.OrtValue.ortvalue_from_shape_and_type(inputs["image"].shape, np.float32, device, 0)
    binding.bind_ortvalue_output("restored", restored)

    def run() -> None:
        session.run_with_iobinding(binding)

    return run


def _measure(run: Run, n: int, expected: Batch) -> dict[str, Any]:
    start = time.perf_counter()
    restored = run()
    first_s = time.perf_counter() - start
    run()  # a graph is recorded in the second call
    took: list[float] = []
    while len(took) < _REPEATS and sum(took) < _AT_MOST_S:
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    seconds = statistics.median(took)
    return {
        "batch": n,
        "edges": expected.shape[2:],
        "first_s": round(first_s, 3),
        "s": round(seconds, 5),
        "slices_per_s": round(n / seconds, 1),
        "largest_difference": None if restored is None else float(np.abs(restored - expected).max()),
    }


if __name__ == "__main__":
    main()
