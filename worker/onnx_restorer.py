"""A restorer over ONNX Runtime.

The network's contract: inputs `image` (float32, [batch, 1, height, width], values in [0, 1]) and `condition`
(int64, [batch]); output `restored`, of the shape of `image`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from disyre import schedule
from disyre.errors import Misconfigured, OutOfMemory
from disyre.model_package import ModelPackage
from disyre.types import Batch
from worker.onnx_session import PROVIDERS, open_session
from worker.settings import Device

_INPUTS: Final = {"image", "condition"}
_OUTPUT: Final = "restored"
_NO_MEMORY: Final = ("Failed to allocate memory", "out of memory", "bad_alloc", "bad allocation")
"""How ONNX Runtime says that memory ran out; it has no error of its own for it."""
_PROBE_STRIDES: Final = 4
"""Edge of the image that a network is tried with, in strides."""


class OnnxRestorer:
    """A network in one inference session. Make it in the process that uses it: it does not survive a fork."""

    def __init__(
        self, package: ModelPackage, *, device: Device, threads: int | None = None, cache: Path | None = None
    ) -> None:
        """Load a network and try it. `cache` is a folder for the engines that TensorRT builds.

        Raises Misconfigured if it is damaged or of another contract, or if the device is not to be had.
        """
        self.package = package
        self.provider: str = PROVIDERS[device]
        """The execution provider, as ONNX Runtime calls it."""
        network = package.verified_network()
        self._session = open_session(
            network, source=package.folder, device=device, threads=threads, cache=cache
        )
        _check_contract(self._session, package)
        self.last_inference_at: datetime
        """When the network last gave an answer."""
        self.probe()

    def __call__(self, x: Batch, severity: float) -> Batch:
        """Estimate the healthy images behind a batch. Raises OutOfMemory."""
        condition = schedule.condition(severity)
        restored = run_in_halves(lambda part: self._run(part, condition), x)
        self.last_inference_at = datetime.now(UTC)
        return restored

    def probe(self) -> None:
        """Run the network once on nothing. Raises Misconfigured if it does not keep to its contract."""
        edge = self.package.manifest.grid.stride * _PROBE_STRIDES
        x = np.zeros((1, 1, edge, edge), dtype=np.float32)
        restored = self(x, self.package.manifest.scan.severities[0])
        if restored.shape != x.shape or not np.isfinite(restored).all():
            raise Misconfigured(f"expected finite values of shape {x.shape} from {self.name}, got others")

    def _run(self, x: Batch, condition: int) -> Batch:
        conditions = np.full(len(x), condition, dtype=np.int64)
        (restored,) = self._session.run([_OUTPUT], {"image": x, "condition": conditions})
        return cast(Batch, restored)

    @property
    def name(self) -> str:
        """The model, as `name/version`."""
        return f"{self.package.manifest.name}/{self.package.manifest.version}"


def run_in_halves(run: Callable[[Batch], Batch], x: Batch) -> Batch:
    """Run a batch; where memory runs out, in two halves. Raises OutOfMemory if one image is too large."""
    try:
        return run(x)
    except (ort_errors.RuntimeException, ort_errors.Fail) as error:
        if not any(sign in str(error) for sign in _NO_MEMORY):
            raise
        if len(x) == 1:
            raise OutOfMemory("one slice of the scan needs more memory than the device has") from error
    middle = len(x) // 2
    return np.concatenate([run_in_halves(run, x[:middle]), run_in_halves(run, x[middle:])])


def _check_contract(session: ort.InferenceSession, package: ModelPackage) -> None:
    inputs = {node.name for node in cast(list[Any], session.get_inputs())}
    outputs = {node.name for node in cast(list[Any], session.get_outputs())}
    if inputs != _INPUTS or _OUTPUT not in outputs:
        raise Misconfigured(
            f"expected the inputs {sorted(_INPUTS)} and the output {_OUTPUT!r}, "
            f"got {sorted(inputs)} and {sorted(outputs)} from the network at {package.folder}"
        )
