"""Lesion shapes that no patient had, and a place with all that `disyre evaluate` needs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import main
from disyre.adapters.nifti_write import write_nifti
from disyre.intensity import IntensityRule
from disyre.model_manifest import ScanSettings
from disyre.volume import Volume
from model_export.dataset import Scan
from model_export.phantom import make_phantom
from tests.toy_model import make_toy_model

MNI_AFFINE = np.array(
    [[-1.0, 0.0, 0.0, 78.0], [0.0, 1.0, 0.0, -112.0], [0.0, 0.0, 1.0, -50.0], [0.0, 0.0, 0.0, 1.0]]
)


def make_ball(radius_mm: float, *, at_mm: tuple[float, float, float] = (20.0, -20.0, 60.0)) -> Volume:
    """A round lesion in MNI space, on a grid of 157 x 189 x 136 mm."""
    i, j, k = np.ogrid[:157, :189, :136]
    x, y, z = 78.0 - i - at_mm[0], j - 112.0 - at_mm[1], k - 50.0 - at_mm[2]
    inside = x**2 + y**2 + z**2 <= radius_mm**2
    return Volume(inside.astype(np.float32), MNI_AFFINE)


@pytest.fixture(scope="session")
def shapes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One ball of each size that semi-synthetic cases have."""
    folder = tmp_path_factory.mktemp("shapes")
    for radius_mm in (4.5, 8.0, 13.0, 18.0):
        ball = make_ball(radius_mm)
        write_nifti(folder / f"ball{radius_mm:.0f}_lesion.nii.gz", ball, dtype=np.uint8)
    return folder


def write_scan(path: Path, scan: Scan) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, scan.volume)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, two healthy scans, two cases: the lesion is the brightest of the brain, or half of that."""
    folder = tmp_path_factory.mktemp("benchmark")
    unclipped = ScanSettings(severities=(0.5, 0.2), intensity=IntensityRule(percentile=100))
    make_toy_model(folder / "models", scan=unclipped)
    for seed in (1, 2):
        write_scan(folder / "healthy" / f"sub-{seed}_T1w.nii.gz", make_phantom(100 + seed))
        scan = make_phantom(seed + 2)
        voxels = scan.volume.voxels.copy()
        voxels[60:70, 60:70, 15:25] = 2000
        bright = Scan("", scan.volume.with_voxels(voxels), scan.brain_mask)
        write_scan(folder / "cases" / f"c{seed}" / "T1w.nii.gz", bright)
        lesion = np.zeros_like(voxels)
        lesion[60 : 70 if seed == 1 else 65, 60:70, 15:25] = 1
        write_nifti(folder / "cases" / f"c{seed}" / "lesion.nii.gz", scan.volume.with_voxels(lesion))
    return folder


def evaluate(place: Path, *options: str, cases: Sequence[str] = ("cases",)) -> dict[str, Any]:
    """Run the command; the figures that it wrote."""
    out = place / f"report{len(list(place.iterdir()))}"
    folders = [str(place / name) if name == "cases" else name for name in cases]
    command = ["evaluate", str(place / "models" / "t1w" / "1"), "--cases", *folders, "--out", str(out)]
    assert main([*command, "--healthy", str(place / "healthy"), "--bootstrap", "50", *options]) == 0
    figures: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    figures["folder"] = out
    return figures
