"""A network in ONNX Runtime: what it computes, and what it refuses to start with."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from disyre.errors import Misconfigured, OutOfMemory
from disyre.model_package import NETWORK_FILE, ModelPackage
from disyre.types import Batch
from tests.toy_model import make_toy_model, toy_network
from worker.onnx_restorer import OnnxRestorer, run_in_halves
from worker.settings import Device


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    return make_toy_model(tmp_path)


def make_batch(n: int = 3) -> Batch:
    return np.random.default_rng(0).random((n, 1, 16, 24), dtype=np.float32)


def with_network(package: ModelPackage, network: bytes) -> ModelPackage:
    """The package with another network, and a manifest that knows of it."""
    (package.folder / NETWORK_FILE).write_bytes(network)
    sha256 = hashlib.sha256(network).hexdigest()
    return ModelPackage(package.folder, package.manifest.model_copy(update={"sha256": sha256}))


def test_the_network_is_applied_to_every_image_of_a_batch(package: ModelPackage) -> None:
    x = make_batch()

    restored = OnnxRestorer(package, device="cpu")(x, 0.5)

    np.testing.assert_allclose(restored, x / 2, rtol=1e-6)
    assert restored.dtype == np.float32


def test_a_restorer_that_was_made_has_worked_once(package: ModelPackage) -> None:
    restorer = OnnxRestorer(package, device="cpu", threads=1)

    assert restorer.last_inference_at is not None
    assert (restorer.name, restorer.provider) == ("t1w/1", "CPUExecutionProvider")


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_is_not_there_is_refused(package: ModelPackage, device: Device) -> None:
    with pytest.raises(Misconfigured, match="ExecutionProvider is not in this ONNX Runtime"):
        OnnxRestorer(package, device=device)


def test_a_flipped_bit_in_the_network_is_refused(package: ModelPackage) -> None:
    network = bytearray((package.folder / NETWORK_FILE).read_bytes())
    network[len(network) // 2] ^= 1
    (package.folder / NETWORK_FILE).write_bytes(network)

    with pytest.raises(Misconfigured, match="SHA-256"):
        OnnxRestorer(package, device="cpu")


def test_bytes_that_are_no_network_are_refused(package: ModelPackage) -> None:
    with pytest.raises(Misconfigured, match="cannot load"):
        OnnxRestorer(with_network(package, b"not a network"), device="cpu")


def test_a_network_with_other_inputs_is_refused(package: ModelPackage) -> None:
    network = toy_network(0.5, inputs=("x", "t")).SerializeToString()

    with pytest.raises(Misconfigured, match="expected the inputs"):
        OnnxRestorer(with_network(package, network), device="cpu")


def test_a_network_that_gives_nan_is_refused(package: ModelPackage) -> None:
    network = toy_network(float("nan")).SerializeToString()

    with pytest.raises(Misconfigured, match="expected finite values"):
        OnnxRestorer(with_network(package, network), device="cpu")


@pytest.mark.parametrize("where", ["../../secret", "{}/secret", "link", "folder/../../../secret"])
def test_external_data_are_not_followed(package: ModelPackage, tmp_path: Path, where: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(4))
    (package.folder / "link").symlink_to(tmp_path / "secret")
    (package.folder / "folder").mkdir()
    network = toy_network(0.5)
    gain = network.graph.initializer[0]
    gain.ClearField("float_data")
    gain.data_location = onnx.TensorProto.EXTERNAL
    gain.external_data.add(key="location", value=where.format(tmp_path))

    with pytest.raises(Misconfigured, match="cannot load"):
        OnnxRestorer(with_network(package, network.SerializeToString()), device="cpu")


def device_with_room_for(n_images: int) -> Callable[[Batch], Batch]:
    def run(x: Batch) -> Batch:
        if len(x) > n_images:
            raise ort_errors.RuntimeException("Failed to allocate memory for requested buffer of size 1")
        return x / 2

    return run


def test_a_batch_that_is_too_large_for_the_device_is_halved() -> None:
    restored = run_in_halves(device_with_room_for(2), make_batch(7))

    np.testing.assert_allclose(restored, make_batch(7) / 2)


def test_an_image_that_is_too_large_for_the_device_is_out_of_memory() -> None:
    with pytest.raises(OutOfMemory):
        run_in_halves(device_with_room_for(0), make_batch())


def test_other_failures_of_the_device_are_not_hidden() -> None:
    def run(x: Batch) -> Batch:
        raise ort_errors.RuntimeException("the device is lost")

    with pytest.raises(ort_errors.RuntimeException):
        run_in_halves(run, make_batch())
