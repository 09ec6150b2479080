"""Makes a toy model package with the contract of a real one: what it restores is half of its input.

The condition is read, and changes nothing. Needs no torch.
"""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import onnx
from onnx import TensorProto, helper

from disyre.modality import Modality
from disyre.model_manifest import Calibration, Grid, ModelManifest, ScanSettings, TrainingData, Windows
from disyre.model_package import CARD_FILE, NETWORK_FILE, ModelPackage

SLOW_MODEL: Final = "slow"
"""The name of `make_slow_model`'s."""
TOY_STRIDE = 8
"""Height and width of what the toy takes are multiples of this."""


def make_toy_model(
    models: Path,
    *,
    name: str = "t1w",
    version: str = "1",
    modality: Modality = "T1w",
    gain: float = 0.5,
    scan: ScanSettings | None = None,
    onnx_bytes: bytes | None = None,
    stride: int = TOY_STRIDE,
) -> ModelPackage:
    """Write `<models>/<name>/<version>/` and read it back.

    The network gives `gain` times its input, unless it is given as `onnx_bytes`.
    """
    folder = models / name / version
    folder.mkdir(parents=True)
    network = onnx_bytes or toy_network(gain).SerializeToString()
    (folder / NETWORK_FILE).write_bytes(network)
    (folder / CARD_FILE).write_text("# A toy\n", encoding="utf-8")
    manifest = ModelManifest(
        name=name,
        version=version,
        modality=modality,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        sha256=hashlib.sha256(network).hexdigest(),
        n_parameters=1,
        gflop_per_patch=1e-4,
        grid=Grid(stride=stride),
        scan=scan or ScanSettings(severities=(0.5, 0.2)),
        calibration=Calibration(threshold=0.3, healthy_percentile=99.0, n_scans=1),
        training_data=(TrainingData(name="none", n_scans=1, licence="CC0-1.0"),),
        licence="CC0-1.0",
        intended_use="tests",
    )
    package = ModelPackage(folder, manifest)
    package.write_manifest()
    return package


def make_two_models(models: Path) -> Path:
    """A quick model, and one that takes some 30 000 steps for the same scan; the folder of both."""
    make_toy_model(models)
    make_slow_model(models)
    return models


def make_slow_model(models: Path) -> ModelPackage:
    """One that takes some 30 000 steps for a scan: seconds."""
    severities = tuple(n / 100 for n in range(100, 0, -1))
    slow = ScanSettings(mode="stepwise", severities=severities, windows=Windows(window=32, stride=8))
    return make_toy_model(models, name=SLOW_MODEL, scan=slow)


def toy_network(gain: float, *, inputs: tuple[str, str] = ("image", "condition")) -> onnx.ModelProto:
    """A network of a few nodes: `restored = image * gain + 0 * condition`."""
    image, condition = inputs
    shape: list[str | int | None] = ["batch", 1, "height", "width"]
    nodes = [
        helper.make_node("Cast", [condition], ["as_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["as_float", "zero"], ["nothing"]),
        helper.make_node("Reshape", ["nothing", "to_image"], ["shift"]),
        helper.make_node("Mul", [image, "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["restored"]),
    ]
    constants = [
        helper.make_tensor("gain", TensorProto.FLOAT, [], [gain]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("to_image", TensorProto.INT64, [4], [-1, 1, 1, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info(image, TensorProto.FLOAT, shape),
            helper.make_tensor_value_info(condition, TensorProto.INT64, ["batch"]),
        ],
        [helper.make_tensor_value_info("restored", TensorProto.FLOAT, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model
