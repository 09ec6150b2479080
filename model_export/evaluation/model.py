"""A model as a method: a package or a run, under settings of its own or others."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import torch

from disyre import INTENDED_USE, presets
from disyre.errors import Misconfigured
from disyre.model_manifest import Calibration, Grid, ModelManifest, ScanSettings, TrainingData, Windows
from disyre.model_package import MANIFEST_FILE, ModelPackage
from disyre.pipeline import score_volume
from disyre.restoration import Restorer
from disyre.types import Voxels
from model_export.architecture import count_gflop
from model_export.checkpoint import CHECKPOINT_FILE, Checkpoint
from model_export.evaluation.cases import Case
from model_export.evaluation.method import Method
from model_export.network import count_parameters
from model_export.run_folder import RunFolder
from model_export.scan_settings import scan_settings
from model_export.torch_restorer import TorchRestorer, load_network
from model_export.verify import ExportedRestorer


@dataclass(frozen=True, eq=False)
class Model:
    """A network and how a scan is scored with it."""

    name: str
    sha256: str
    """Of the network's file."""
    manifest: ModelManifest
    restorer: Restorer
    is_calibrated: bool
    """Whether the manifest's threshold was measured."""

    @classmethod
    def load(cls, folder: Path, *, threads: int, device: str = "cpu") -> Self:
        """A model package, or the best weights of a run folder, or its newest if none are known to be best.

        Raises Misconfigured if the folder is neither, or is damaged.
        """
        if (folder / MANIFEST_FILE).is_file():
            package = ModelPackage.read(folder)
            restorer = ExportedRestorer(package.verified_network(), threads=threads)
            return cls(package.name, package.manifest.sha256, package.manifest, restorer, True)
        if not (folder / CHECKPOINT_FILE).is_file():
            raise Misconfigured(
                f"expected a model package or a run at {folder}, found {_versions_in(folder) or 'neither'}"
            )
        torch.set_num_threads(threads or torch.get_num_threads())
        return cls._of_run(folder, device)

    @classmethod
    def _of_run(cls, folder: Path, device: str) -> Self:
        network = load_network(folder, device=device)
        config = RunFolder(folder).config()
        sha256 = hashlib.sha256(Checkpoint.chosen(folder).read_bytes()).hexdigest()
        manifest = ModelManifest(
            name="run",
            version="1",
            modality=config.modality,
            created_at=datetime.now(UTC),
            sha256=sha256,
            n_parameters=count_parameters(network),
            gflop_per_patch=count_gflop(network),
            grid=Grid(stride=network.stride),
            scan=scan_settings(config),
            calibration=Calibration(threshold=1.0, healthy_percentile=99.5, n_scans=1),
            training_data=(TrainingData(name="as the run says", n_scans=1, licence=config.licence),),
            licence=config.licence,
            intended_use=INTENDED_USE,
        )
        return cls(f"run {folder.name}", sha256, manifest, TorchRestorer(network), False)

    def method(self, name: str | None = None, settings: ScanSettings | None = None) -> Method:
        """The model as a method, under its own settings or others."""

        def map_of(case: Case) -> Voxels:
            scored = score_volume(
                case.volume, self.restorer, self.manifest, brain_mask=case.brain_mask, settings=settings
            )
            return scored.anomaly_map.voxels

        own = self.is_calibrated and settings is None
        threshold = self.manifest.calibration.threshold if own else None
        return Method(name or self.name, map_of, threshold)

    def variants(self) -> list[Method]:
        """The same network under other settings, one thing changed at a time, its own first."""
        own, parity = self.manifest.scan, presets.parity("ensemble")
        told = {"severities": parity.severities, "told_severities": parity.told_severities}
        changes: dict[str, ScanSettings] = {
            "stepwise (v1)": _with(own, mode="stepwise"),
            "reference severities": _with(own, **told),
            "reference severities, as meant": _with(own, severities=parity.severities),
            "all changes alike": _with(own, emphasis=None),
            "not smoothed across slices": _with(own, across_slices_mm=0.0),
            "windows of 128, stride 32": _with(own, windows=Windows()),
            "parity preset (v2)": parity,
            "parity preset, stepwise (v1)": presets.parity("stepwise"),
        }
        others = [self.method(f"{self.name}: {name}", settings) for name, settings in changes.items()]
        return [self.method(f"{self.name}: as it ships ({own.mode})"), *others]


def _versions_in(folder: Path) -> str:
    """What to say of a folder in which each version of a model has a folder; nothing of any other."""
    found = [path.parent for path in folder.glob(f"*/{MANIFEST_FILE}") if path.parent.name.isdecimal()]
    names = ", ".join(path.as_posix() for path in sorted(found, key=lambda path: int(path.name)))
    return f"its versions: {names}" if names else ""


def _with(settings: ScanSettings, **changes: object) -> ScanSettings:
    return ScanSettings.model_validate({**settings.model_dump(), **changes})
