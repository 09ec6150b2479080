"""Torch and ONNX agree, on the shapes and batch sizes that will be used, or the model is not shipped."""

from typing import Final

import numpy as np
import onnxruntime
import torch
from jaxtyping import Int64

from disyre.errors import Misconfigured
from disyre.schedule import N_LEVELS, condition
from disyre.types import Batch
from model_export.architecture import Network

TOLERANCE: Final = 1e-4
"""Largest accepted difference, in normalised intensity."""
_ROUNDING: Final = 1e-6
"""Difference between the same sums in another order."""


class ExportedRestorer:
    """Restores with the exported network, so that what is calibrated is what ships."""

    def __init__(self, onnx_bytes: bytes, *, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads  # 0: all
        self._session = onnxruntime.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])

    def __call__(self, x: Batch, severity: float) -> Batch:
        return self.run(x, np.full(len(x), condition(severity), dtype=np.int64))

    def run(self, x: Batch, conditions: Int64[np.ndarray, " batch"]) -> Batch:
        """Restore each image under a condition of its own."""
        (restored,) = self._session.run(["restored"], {"image": x, "condition": conditions})
        return np.asarray(restored)


def verify(network: Network, exported: ExportedRestorer) -> float:
    """The largest difference between the two, over several batches, frames and all conditions.

    Raises Misconfigured if it is above TOLERANCE.
    """
    largest = max(_difference(network, exported, *shape) for shape in _shapes(network.stride))
    if not largest <= TOLERANCE:
        raise Misconfigured(f"expected torch and ONNX to differ by at most {TOLERANCE:g}, got {largest:g}")
    return largest


def is_frame_invariant(exported: ExportedRestorer, stride: int) -> bool:
    """Whether nothing depends on the frame around a brain, and nothing is estimated in it."""
    brain = np.random.default_rng(0).uniform(0.1, 1, (1, 1, 2 * stride, 3 * stride)).astype(np.float32)
    wide = np.pad(brain, [(0, 0), (0, 0), (stride, 2 * stride), (3 * stride, stride)])
    conditions = np.array([N_LEVELS // 2])
    expected = np.pad(
        exported.run(brain, conditions), [(0, 0), (0, 0), (stride, 2 * stride), (3 * stride, stride)]
    )
    return bool(np.abs(exported.run(wide, conditions) - expected).max() <= _ROUNDING)


def _shapes(stride: int) -> list[tuple[int, int, int]]:
    """Batch, height and width: the smallest frame, odd multiples of the stride, and a whole adult slice."""
    height, width = (-(-edge // stride) * stride for edge in (160, 192))
    return [
        (1, stride, stride),
        (3, 3 * stride, 2 * stride),
        (N_LEVELS, 2 * stride, 3 * stride),
        (8, height, width),
    ]


@torch.no_grad()
def _difference(network: Network, exported: ExportedRestorer, n: int, height: int, width: int) -> float:
    rng = np.random.default_rng(n)
    image = rng.random((n, 1, height, width), dtype=np.float32)
    image[:, :, : height // 4] = 0
    conditions = np.arange(n) if n == N_LEVELS else rng.integers(0, N_LEVELS, n)
    expected = network(torch.from_numpy(image), torch.from_numpy(conditions)).numpy()
    return float(np.abs(exported.run(image, conditions) - expected).max())
