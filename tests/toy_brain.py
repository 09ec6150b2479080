"""Makes a toy brain network with the contract of the real one: what is bright is brain."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from disyre.brain_package import MANIFEST_FILE, BrainManifest, BrainPackage
from disyre.model_manifest import TrainingData
from disyre.model_package import NETWORK_FILE

STRIDE = 8


def make_toy_brain(models: Path, *, version: str = "1", onnx_bytes: bytes | None = None) -> BrainPackage:
    """Write `<models>/brain/<version>/` and read it back."""
    folder = models / "brain" / version
    folder.mkdir(parents=True)
    network = onnx_bytes or toy_brain_network().SerializeToString()
    (folder / NETWORK_FILE).write_bytes(network)
    manifest = BrainManifest(
        version=version,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        sha256=hashlib.sha256(network).hexdigest(),
        n_parameters=2,
        spacing_mm=2.0,
        stride=STRIDE,
        training_data=(TrainingData(name="none", n_scans=1, licence="CC0-1.0"),),
        licence="CC0-1.0",
        intended_use="tests",
        metrics={},
    )
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json())
    return BrainPackage.read(folder)


def toy_brain_network(*, output: str = "brain", bias: float = -0.5) -> onnx.ModelProto:
    """`brain = sigmoid(60 * (image - 0.5))`."""
    shape: list[str | int | None] = [1, 1, "x", "y", "z"]
    nodes = [
        helper.make_node("Add", ["image", "bias"], ["shifted"]),
        helper.make_node("Mul", ["shifted", "gain"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], [output]),
    ]
    constants = [
        numpy_helper.from_array(np.array(bias, np.float32), "bias"),
        numpy_helper.from_array(np.array(60, np.float32), "gain"),
    ]
    graph = helper.make_graph(
        nodes,
        "toy-brain",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model
