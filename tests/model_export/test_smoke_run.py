"""`disyre train --config smoke`, then `disyre export`: the whole way, on phantoms."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from disyre import INTENDED_USE
from disyre.adapters.nifti_write import write_nifti
from disyre.errors import Misconfigured
from disyre.model_package import CARD_FILE, NETWORK_FILE, ModelPackage
from disyre.model_shelf import ModelShelf
from disyre.pipeline import score_volume
from disyre.schedule import condition
from model_export import export
from model_export import train as train_program
from model_export.onnx_graph import to_onnx
from model_export.phantom import make_phantom
from model_export.torch_restorer import TorchRestorer, load_network
from model_export.verify import TOLERANCE, ExportedRestorer, verify
from tests.model_export.conftest import SmokeRun
from worker.onnx_restorer import OnnxRestorer

pytestmark = pytest.mark.timeout(300)  # the run is made in the first test's setup


def test_the_loss_falls_and_held_back_phantoms_are_restored(smoke_run: SmokeRun) -> None:
    lines = smoke_run.folder.metrics()

    losses = [line["loss"] for line in lines]
    ratios = [line["dag_mse_ratio"] for line in lines if "dag_mse_ratio" in line]
    assert np.mean(losses[-3:]) < 0.95 * np.mean(losses[:3])
    assert ratios[-1] < min(ratios[0], 0.85)


def test_the_run_folder_explains_itself(smoke_run: SmokeRun) -> None:
    folder = smoke_run.folder
    split = folder.split()
    readme = (folder.path / "README.md").read_text()

    assert folder.config().name == "smoke"
    assert folder.environment().keys() >= {"commit", "command", "torch", "n_threads", "started_at"}
    assert len(split.codebook) == folder.config().corruption.n_classes
    assert not set(split.trained_on) & set(split.held_back)
    assert INTENDED_USE in readme
    assert all(f"`{path.name}" in readme for path in folder.path.iterdir() if path.name != "README.md")


def test_the_network_agrees_with_torch_on_frames_of_many_shapes(smoke_run: SmokeRun) -> None:
    restorer = TorchRestorer.of_run(smoke_run.folder.path)
    session = onnxruntime.InferenceSession(
        smoke_run.package.verified_network(), providers=["CPUExecutionProvider"]
    )
    stride = smoke_run.package.manifest.grid.stride

    for n, height, width in [(1, stride, 3 * stride), (5, 96, 64), (2, 160, 192)]:
        x = np.random.default_rng(n).random((n, 1, height, width), dtype=np.float32)
        told = np.full(n, condition(0.35), dtype=np.int64)
        (restored,) = session.run(["restored"], {"image": x, "condition": told})
        np.testing.assert_allclose(restored, restorer(x, 0.35), atol=TOLERANCE, rtol=0)


def test_a_network_that_differs_from_torch_is_refused(smoke_run: SmokeRun) -> None:
    network = load_network(smoke_run.folder.path)
    exported = ExportedRestorer(to_onnx(network, name="smoke/1"))
    assert verify(network, exported) <= TOLERANCE

    network.head.weight.add_(0.01)

    with pytest.raises(Misconfigured, match="differ"):
        verify(network, exported)


def test_the_onnx_file_keeps_its_contract(smoke_run: SmokeRun) -> None:
    model = onnx.load_from_string(smoke_run.package.verified_network())

    def declared(values: list[onnx.ValueInfoProto]) -> dict[str, tuple[int, list[str | int]]]:
        return {
            value.name: (
                value.type.tensor_type.elem_type,
                [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim],
            )
            for value in values
        }

    image = (onnx.TensorProto.FLOAT, ["batch", 1, "height", "width"])
    assert declared(list(model.graph.input)) == {
        "image": image,
        "condition": (onnx.TensorProto.INT64, ["batch"]),
    }
    assert declared(list(model.graph.output)) == {"restored": image}
    assert INTENDED_USE in model.doc_string


def test_the_package_says_what_it_is(smoke_run: SmokeRun) -> None:
    package = smoke_run.package
    card = (package.folder / CARD_FILE).read_text()

    assert package.manifest.training_data[0].name == "phantoms"
    calibration = package.manifest.calibration
    assert calibration.n_scans == len(calibration.healthy) == 2
    assert calibration.false_positive_ml is not None
    assert f"{calibration.false_positive_ml:.1f} mL of a healthy brain are above it" in card
    for brain in calibration.healthy:
        assert f"| {brain.name} | {brain.anomaly_score:.3f} | {brain.above_threshold_ml:.1f} mL |" in card
    assert package.manifest.metrics["torch_onnx_difference"] <= TOLERANCE
    assert package.manifest.metrics["dag_mse_ratio"] == pytest.approx(
        smoke_run.folder.metrics()[-1]["dag_mse_ratio"], abs=1e-4
    )
    assert package.manifest.sha256 in card
    assert INTENDED_USE in card
    assert "None" not in card
    assert re.search(r" in [1-9]\d* (seconds?|minutes) on processors", card)


def test_a_model_may_be_calibrated_on_scans_that_are_given(smoke_run: SmokeRun, tmp_path: Path) -> None:
    (tmp_path / "healthy").mkdir()
    write_nifti(tmp_path / "healthy" / "sub-9_T1w.nii.gz", make_phantom(9).volume)
    to = tmp_path / "smoke" / "2"

    command = [str(smoke_run.folder.path), "--to", str(to), "--calibrate-on", str(tmp_path / "healthy")]
    assert export.main(command) == 0
    alone = ModelPackage.read(to).manifest.calibration
    assert "| sub-9 | " in (to / CARD_FILE).read_text()
    assert export.main([*command, "held-back"]) == 0
    together = ModelPackage.read(to).manifest.calibration

    held_back = smoke_run.package.manifest.calibration
    assert [brain.name for brain in alone.healthy] == ["sub-9"]
    assert alone.healthy[0].above_threshold_ml == pytest.approx(alone.false_positive_ml)
    assert {brain.name for brain in together.healthy} == {"sub-9", *(b.name for b in held_back.healthy)}
    low, high = sorted((alone.threshold, held_back.threshold))
    assert low < together.threshold < high


def test_the_worker_loads_the_package_and_scores_a_scan_as_torch_does(smoke_run: SmokeRun) -> None:
    package = ModelShelf(smoke_run.package.folder.parents[1]).find("smoke")
    scan = make_phantom(11)

    in_worker = score_volume(scan.volume, OnnxRestorer(package, device="cpu"), package.manifest)
    in_torch = score_volume(scan.volume, TorchRestorer.of_run(smoke_run.folder.path), package.manifest)

    np.testing.assert_allclose(
        in_worker.anomaly_map.voxels, in_torch.anomaly_map.voxels, atol=TOLERANCE, rtol=0
    )
    healthy = in_worker.anomaly_map.voxels[scan.brain_mask]
    assert 0.9 < np.mean(healthy < package.manifest.calibration.threshold) <= 1


def test_a_package_whose_network_was_changed_is_refused(smoke_run: SmokeRun, tmp_path: Path) -> None:
    for path in smoke_run.package.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    network = bytearray((tmp_path / NETWORK_FILE).read_bytes())
    network[len(network) // 2] ^= 1
    (tmp_path / NETWORK_FILE).write_bytes(network)

    with pytest.raises(Misconfigured, match="SHA-256"):
        ModelPackage.read(tmp_path).verified_network()


def test_the_manifest_survives_being_written_and_read(smoke_run: SmokeRun, tmp_path: Path) -> None:
    ModelPackage(tmp_path, smoke_run.package.manifest).write_manifest()

    assert ModelPackage.read(tmp_path).manifest == smoke_run.package.manifest
    assert json.loads((tmp_path / "model.json").read_text())["modality"] == "T1w"


def test_going_on_with_a_finished_run_says_that_it_is_finished_and_where_it_is(
    smoke_run: SmokeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    path, before = smoke_run.folder.path, smoke_run.folder.metrics()

    status = train_program.main(["--resume", "--out", str(path)])

    assert status == 0
    patches = smoke_run.folder.config().total_patches
    assert capsys.readouterr().out == (
        f"disyre train: the run is finished, with {patches:,} patches of {patches:,}; it is in {path}, and "
        f"`scripts/run train disyre export {path} --to models/<name>/<version>` makes a model package of it\n"
    )
    assert smoke_run.folder.metrics() == before


def test_a_package_needs_a_name_and_a_version(
    smoke_run: SmokeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = export.main([str(smoke_run.folder.path), "--to", str(tmp_path / "t1w" / "latest")])

    assert status == 2
    assert "<name>/<version>" in capsys.readouterr().err
    assert not (tmp_path / "t1w").exists()
