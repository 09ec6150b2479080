"""The network that finds the brain, over ONNX Runtime.

Its contract: input `image` (float32, [1, 1, x, y, z], values in [0, 1]); output `brain`, the probability of
being brain, of the same shape.
"""

from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from disyre.brain_package import BrainPackage
from disyre.errors import Misconfigured
from disyre.types import Voxels
from worker.onnx_session import open_session
from worker.settings import Device

_INPUT: Final = "image"
_OUTPUT: Final = "brain"
_PROBE_STRIDES: Final = 2


class OnnxBrainNetwork:
    """A network in one inference session. Make it in the process that uses it."""

    def __init__(
        self, package: BrainPackage, *, device: Device, threads: int | None = None, cache: Path | None = None
    ) -> None:
        """Load the network and try it.

        Raises Misconfigured if it is damaged or of another contract, or if the device is not to be had.
        """
        self.name = package.name
        """As `name/version`."""
        self._session = open_session(
            package.verified_network(), source=package.folder, device=device, threads=threads, cache=cache
        )
        inputs = [node.name for node in cast(list[Any], self._session.get_inputs())]
        outputs = [node.name for node in cast(list[Any], self._session.get_outputs())]
        if (inputs, outputs) != ([_INPUT], [_OUTPUT]):
            raise Misconfigured(
                f"expected the input {_INPUT!r} and the output {_OUTPUT!r}, got {inputs} and {outputs} from "
                f"the network at {package.folder}"
            )
        manifest = package.manifest
        self.finder = manifest.finder(self._run)
        """Finds brains with this network."""
        self._probe(manifest.stride * _PROBE_STRIDES)

    def _run(self, image: Voxels) -> Voxels:
        (probability,) = self._session.run([_OUTPUT], {_INPUT: image[np.newaxis, np.newaxis]})
        return cast(Voxels, probability[0, 0])

    def _probe(self, edge: int) -> None:
        image = np.zeros((edge, edge, edge), dtype=np.float32)
        probability = self._run(image)
        if probability.shape != image.shape or not np.isfinite(probability).all():
            raise Misconfigured(f"expected finite values of shape {image.shape} from {self.name}, got others")
