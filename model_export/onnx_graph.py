"""A trained network -> the bytes of an ONNX file, with dynamic batch, height and width."""

import copy
import io
import warnings
from typing import Final

import onnx
import torch

from disyre import INTENDED_USE
from model_export.architecture import Network

OPSET: Final = 18


def to_onnx(network: Network, *, name: str) -> bytes:
    """The network as ONNX.

    Inputs: `image` float32 [batch, 1, height, width] in [0, 1], 0 only where background is; `condition`
    int64 [batch] from 0 (severe) to 99 (clean). Output: `restored` float32 of the image's shape, unclamped.
    Height and width are multiples of the network's stride; height runs from left to right, width from back
    to front.
    """
    frozen = copy.deepcopy(network).cpu().eval()
    frozen.freeze_conditions()
    example = (torch.zeros(2, 1, 2 * network.stride, 3 * network.stride), torch.zeros(2, dtype=torch.int64))
    axes = {0: "batch", 2: "height", 3: "width"}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The tracing exporter is deprecated, but the other one needs one package more.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            frozen,
            example,
            buffer,  # type: ignore[arg-type]  # a file object is what its docstring asks for
            dynamo=False,
            opset_version=OPSET,
            input_names=["image", "condition"],
            output_names=["restored"],
            dynamic_axes={"image": axes, "condition": {0: "batch"}, "restored": axes},
        )
    return _described(buffer.getvalue(), name)


def _described(network: bytes, name: str) -> bytes:
    """Check the graph and write into it what it is."""
    model = onnx.load_from_string(network)
    model.producer_name = "disyre"
    model.graph.name = name
    model.doc_string = f"DISYRE restoration network {name}. {INTENDED_USE}"
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
