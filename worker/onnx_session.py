"""Inference sessions of ONNX Runtime, on the device that was asked for or not at all."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from disyre.errors import Misconfigured
from worker.settings import Device

PROVIDERS: Final[dict[Device, str]] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""Execution providers, as ONNX Runtime calls them."""
CUDA_OPTIONS: Final[dict[str, Any]] = {
    # TF32 cuts what convolutions multiply to 10 bits: the map would be another one than on a CPU.
    "use_tf32": 0,
    # Convolutions are planned anew whenever a batch has another shape than the one before; most scans have
    # two. That takes 0.06 s by heuristics, 0.27 s by an exhaustive search, with calls up to 8 % faster.
    "cudnn_conv_algo_search": "HEURISTIC",
}
"""What CUDA is told, beyond its defaults."""
TENSORRT_ENVIRONMENT: Final = {"NVIDIA_TF32_OVERRIDE": "0"}
"""What TensorRT is told, beyond its defaults: no TF32, as above. ONNX Runtime has no option for it."""
_LOAD_ERRORS: Final = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
"""The ways in which bytes are no network."""
_PLACE: Final = re.compile(r".*\.cc:\d+ .*[\])] (?=[A-Z])", re.DOTALL)
"""A place in ONNX Runtime's source, with the signature of the function."""


def check_device(device: Device) -> None:
    """Raise Misconfigured if this ONNX Runtime knows nothing of a device."""
    available = ort.get_available_providers()
    if PROVIDERS[device] not in available:
        raise Misconfigured(
            f"{PROVIDERS[device]} is not in this ONNX Runtime, which has {', '.join(available)}; "
            f"onnxruntime-gpu has it: in a checkout of disyre, on a machine with an NVIDIA GPU, "
            f"DISYRE_PROVIDER={device} scripts/run gpu disyre serve (docs/operations.md, GPU)"
        )


def open_session(
    network: bytes, *, source: Path, device: Device, threads: int | None, cache: Path | None
) -> ort.InferenceSession:
    """Load a network on a device. `source` is where it is from, `cache` a folder for TensorRT's engines.

    Raises Misconfigured if the bytes are no network, or if the device is not to be had.
    """
    check_device(device)
    if device == "tensorrt":
        os.environ.update(TENSORRT_ENVIRONMENT)
        cache = cache and engine_folder(cache, network)
    if device != "cpu":
        ort.preload_dlls()  # CUDA and cuDNN, where they were installed as Python packages
    options = ort.SessionOptions()
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.log_severity_level = 3  # errors; what matters is checked and raised here
    try:
        session = ort.InferenceSession(
            network, options, providers=providers_for(device, cache=cache), enable_fallback=0
        )
    except _LOAD_ERRORS as error:
        raise Misconfigured(f"ONNX Runtime cannot load the network of {source}: {error}") from error
    except RuntimeError as error:  # with this a provider says that it cannot have its device
        raise Misconfigured(f"{PROVIDERS[device]} did not start: {reason_of(str(error))}") from error
    active = session.get_providers()[0]
    if active != PROVIDERS[device]:  # ONNX Runtime leaves out what it cannot load
        wanted = "an NVIDIA GPU and its driver (docs/operations.md, GPU)"
        raise Misconfigured(f"{PROVIDERS[device]} did not start, got {active}: expected {wanted}")
    return session


def providers_for(device: Device, *, cache: Path | None) -> list[tuple[str, dict[str, Any]]]:
    """The provider of a device, and behind TensorRT the one for nodes that it does not know."""
    if device == "cpu":
        return [(PROVIDERS["cpu"], {})]
    cuda = (PROVIDERS["cuda"], CUDA_OPTIONS)
    if device == "cuda":
        return [cuda]
    engines = {} if cache is None else {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(cache)}
    return [(PROVIDERS["tensorrt"], engines), cuda]


def engine_folder(cache: Path, network: bytes) -> Path:
    """Make the folder, below `cache`, of the engines that TensorRT builds for one network.

    ONNX Runtime names an engine after the names in the graph, which are the same in all models of one
    architecture: in one folder, a model would be given the engine, and so the weights, of another.

    Raises Misconfigured if it cannot be made.
    """
    folder = cache / hashlib.sha256(network).hexdigest()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"{cache} cannot hold TensorRT's engines: {error.strerror}") from error
    return folder


def reason_of(message: str) -> str:
    """What went wrong, out of what a provider says: without the places in its source before and behind it.

    >>> reason_of("cuda_call.cc:146 bool CudaCall(int) [with THRW = true] CUDA failure 35: too old ; GPU=-1")
    'CUDA failure 35: too old'
    >>> reason_of("pybind_state.cc:729 void Register(PySessionOptions&) Please install its libraries.")
    'Please install its libraries.'
    """
    return _PLACE.sub("", message.partition(" ; ")[0]).strip()
