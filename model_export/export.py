"""`disyre export`: from a run folder to a model package that the worker loads."""

import argparse
import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import torch
from pydantic import ValidationError

from disyre import INTENDED_USE
from disyre.errors import DisyreError, InvalidInput
from disyre.model_manifest import Calibration, Grid, ModelManifest, ScanSettings
from disyre.model_package import CARD_FILE, MANIFEST_FILE, NETWORK_FILE, ModelPackage
from disyre.restoration import Restorer, restore_ensemble
from model_export.architecture import Network, count_gflop
from model_export.calibration import HEALTHY_PERCENTILE, calibrate
from model_export.checkpoint import Checkpoint
from model_export.config import TrainingConfig
from model_export.dataset import Scan, SliceBank
from model_export.evaluation.cases import read_healthy
from model_export.evaluation.unseen import trained_on
from model_export.figure import rounded
from model_export.model_card import make_card
from model_export.network import count_parameters
from model_export.onnx_graph import to_onnx
from model_export.run_folder import RunFolder, Split, describe_run
from model_export.scan_settings import scan_settings
from model_export.torch_restorer import load_network
from model_export.validation import ValidationSet, measure, read_validation
from model_export.verify import ExportedRestorer, is_frame_invariant, verify

HELD_BACK: Final = "held-back"


def make_parser() -> argparse.ArgumentParser:
    """The options of `disyre export`."""
    parser = argparse.ArgumentParser(prog="disyre export", description=__doc__)
    parser.add_argument("run", type=Path, help="run folder, as `disyre train` made it")
    parser.add_argument("--to", type=Path, required=True, help="the package: models/<name>/<version>")
    parser.add_argument(
        "--calibrate-on",
        nargs="+",
        default=[HELD_BACK],
        metavar="SCANS",
        help=f"folders of healthy scans, or {HELD_BACK}, for those of the run, which may be recoloured",
    )
    parser.add_argument("--threads", type=int, help="processor threads; all, if not given")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `disyre export`; returns the exit status."""
    options = make_parser().parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        package = export(RunFolder(options.run), options.to, calibrate_on=options.calibrate_on)
    except DisyreError as error:
        sys.stderr.write(f"disyre export: {error}\n")
        return 2
    sys.stdout.write(f"{package.folder}: {package.manifest.sha256}\n")
    return 0


def export(folder: RunFolder, to: Path, *, calibrate_on: Sequence[str] = (HELD_BACK,)) -> ModelPackage:
    """Make a model package of a run's best weights, or its newest; verify, measure and put it in place.

    It is calibrated on the healthy scans of its modality in some folders, and on those that were held back.
    Raises Misconfigured if torch and ONNX do not agree, InvalidInput if `to` does not end in a name and a
    version.
    """
    split = folder.split()
    config = folder.config()
    config = replace(config, device="cpu", corruption=replace(config.corruption, codebook=split.codebook))
    network = load_network(folder.path)
    onnx_bytes = to_onnx(network, name=f"{to.parent.name}/{to.name}")
    exported = ExportedRestorer(onnx_bytes, threads=torch.get_num_threads())
    difference = verify(network, exported)
    manifest = _manifest(to, config, split, network, onnx_bytes, exported)
    held_back = read_validation(folder, config)
    metrics = measure_restoration(network, exported, held_back, manifest.scan)
    healthy = _healthy(folder, config, calibrate_on)
    manifest = manifest.model_copy(
        update={
            "calibration": calibrate(healthy, exported, manifest),
            "trained_on": trained_on(folder),
            "metrics": {**metrics, "torch_onnx_difference": rounded(difference)},
        }
    )
    card = _card(folder, manifest, folder.config(), split)
    return put_package(to, manifest, onnx_bytes, card)


def _healthy(folder: RunFolder, config: TrainingConfig, calibrate_on: Sequence[str]) -> Iterator[Scan]:
    """Healthy scans to calibrate on."""
    if HELD_BACK in calibrate_on:
        yield from SliceBank.load(folder.held_back_cache).scans()
    for place in calibrate_on:
        if place != HELD_BACK:
            yield from read_healthy([Path(place)], config.modality)


def measure_restoration(
    network: Network,
    exported: Restorer,
    held_back: ValidationSet,
    settings: ScanSettings,
) -> dict[str, float]:
    """The figures of validation, and the same without telling the severity: averaged over the scan's."""
    figures = measure(network, held_back)
    healthy = held_back.healthy.numpy()
    for kind, corruption in held_back.corrupted.items():
        x = corruption.patches.numpy()
        parts = np.array_split(x, -(-len(x) // 8))
        restored = np.concatenate(
            [restore_ensemble(exported, part, settings.severities).restored for part in parts]
        )
        ratio = np.square(restored - healthy).mean() / np.square(x - healthy).mean()
        figures[f"{kind}_ensemble_mse_ratio"] = float(ratio)
    return {name: rounded(value) for name, value in figures.items()}


def _manifest(
    to: Path,
    config: TrainingConfig,
    split: Split,
    network: Network,
    onnx_bytes: bytes,
    exported: ExportedRestorer,
) -> ModelManifest:
    """The manifest, with a calibration that is still to be measured."""
    try:
        return ModelManifest(
            name=to.parent.name,
            version=to.name,
            modality=config.modality,
            created_at=datetime.now(UTC).replace(microsecond=0),
            sha256=hashlib.sha256(onnx_bytes).hexdigest(),
            n_parameters=count_parameters(network),
            gflop_per_patch=round(count_gflop(network), 3),
            grid=Grid(
                stride=network.stride,
                frame_invariant=is_frame_invariant(exported, network.stride),
                max_tilt_deg=min(180.0, config.augmentation.rotation_deg),
            ),
            scan=scan_settings(config),
            calibration=Calibration(threshold=1.0, healthy_percentile=HEALTHY_PERCENTILE, n_scans=1),
            training_data=split.sources,
            licence=config.licence,
            intended_use=INTENDED_USE,
        )
    except ValidationError as error:
        raise InvalidInput(
            f"expected a package folder <name>/<version>, got {to.parent.name}/{to.name}"
        ) from error


def _card(folder: RunFolder, manifest: ModelManifest, config: TrainingConfig, split: Split) -> str:
    checkpoint = Checkpoint.load_chosen(folder.path, "cpu")
    environment = folder.environment()
    made = describe_run(
        config,
        patches=checkpoint.patches,
        elapsed_s=checkpoint.elapsed_s,
        commit=environment["commit"],
    )
    if "begun_with" in environment:
        made = f"{environment['begun_with']}; then, from its weights, {made}"
    return make_card(manifest, config, split, made=made)


def put_package(to: Path, manifest: ModelManifest, onnx_bytes: bytes, card: str) -> ModelPackage:
    """Write the package beside its place, check it as the worker does, and move it there."""
    partial = to.with_name(f"{to.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / NETWORK_FILE).write_bytes(onnx_bytes)
    (partial / CARD_FILE).write_text(card, encoding="utf-8")
    ModelPackage(partial, manifest).write_manifest()
    ModelPackage.read(partial).verified_network()
    to.mkdir(exist_ok=True)
    for name in (NETWORK_FILE, CARD_FILE, MANIFEST_FILE):
        (partial / name).replace(to / name)
    partial.rmdir()
    return ModelPackage.read(to)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
