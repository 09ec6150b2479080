"""How far the map of a head given as DICOM is from that of the NIfTI that dcm2niix makes of it.

    scripts/run dev python benchmarks/dicom_against_nifti.py

Scores the example head with its mask, with the model that ships, and once more without the mask. Maps are
compared at the same places of the world: voxels of the one are put into the order of the other. Prints one
JSON line a mask.
"""

import argparse
import json
import tempfile
from pathlib import Path

import dcm2niix
import numpy as np

from disyre import given_mask, resampling
from disyre.adapters.archive import ArchiveLimits, read_members
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.nifti import read_nifti
from disyre.brain_package import BrainPackage
from disyre.model_shelf import ModelShelf
from disyre.pipeline import ScoredVolume, score_volume
from disyre.types import Mask
from disyre.volume import Volume
from worker.onnx_brain import OnnxBrainNetwork
from worker.onnx_restorer import OnnxRestorer

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=Path, default=ROOT / "examples" / "head.zip")
    parser.add_argument("--mask", type=Path, default=ROOT / "examples" / "head_mask.nii.gz")
    arguments = parser.parse_args()
    restorer = OnnxRestorer(ModelShelf(ROOT / "models").find("t1w", None), device="cpu")
    package = BrainPackage.newest(ROOT / "models")
    assert package is not None
    network = OnnxBrainNetwork(package, device="cpu")
    scans = {"dicom": read_dicom(read_members(arguments.series, ArchiveLimits()))}
    scans["nifti"] = _converted(arguments.series)
    given = {name: given_mask.brain_mask(scan, read_nifti(arguments.mask)) for name, scan in scans.items()}
    found = {name: network.finder(scan).mask for name, scan in scans.items()}
    for source, masks in {"given": given, "found": found}.items():
        print(json.dumps({"mask": source, **_compare(scans, masks, restorer)}), flush=True)


def _converted(series: Path) -> Volume:
    """What dcm2niix makes of a zip of DICOM files."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in", Path(folder) / "out"
        source.mkdir()
        target.mkdir()
        for number, content in enumerate(read_members(series, ArchiveLimits())):
            (source / f"{number}.dcm").write_bytes(content)
        options = ["-z", "y", "-b", "n", "-f", "scan", "-o", str(target), str(source)]
        dcm2niix.main(options, capture_output=True, check=True)
        (path,) = target.glob("*.nii.gz")
        return read_nifti(path)


def _compare(scans: dict[str, Volume], masks: dict[str, Mask], restorer: OnnxRestorer) -> dict[str, object]:
    scored: dict[str, ScoredVolume] = {
        name: score_volume(scan, restorer, restorer.package.manifest, brain_mask=masks[name])
        for name, scan in scans.items()
    }
    ours = scored["dicom"].anomaly_map
    theirs = resampling.reorient(scored["nifti"].anomaly_map, like=ours.affine)
    difference = np.abs(ours.voxels - theirs.voxels)
    masks_there = [_mask_of(scored[name], like=ours) for name in ("dicom", "nifti")]
    in_both = np.logical_and(*masks_there)
    corners = np.array([[*(np.array(ours.shape) - 1), 1.0], [0, 0, 0, 1.0]])
    return {
        "orientations": [scans[name].orientation for name in ("dicom", "nifti")],
        "apart_mm": float(np.abs(corners @ (ours.affine - theirs.affine).T).max()),
        "map_max": round(float(ours.voxels.max()), 4),
        "largest_difference": float(difference.max()),
        "largest_difference_in_both_masks": float(difference[in_both].max()),
        "p999_difference_in_both_masks": float(np.quantile(difference[in_both], 0.999)),
        "n_voxels_in_both_masks": int(in_both.sum()),
        "n_voxels_in_one_mask": int(np.logical_xor(*masks_there).sum()),
    }


def _mask_of(scored: ScoredVolume, *, like: Volume) -> Mask:
    """Where the map is meant, in the order of voxels of another scan."""
    mask = scored.anomaly_map.with_voxels(scored.brain_mask.astype(np.float32))
    return np.asarray(resampling.reorient(mask, like=like.affine).voxels > 0)


if __name__ == "__main__":
    main()
