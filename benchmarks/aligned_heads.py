"""Whether turning a tilted head upright gives the map that it has when it lies straight.

    scripts/run dev python benchmarks/aligned_heads.py SCAN.nii.gz [--turns 25,0,0 0,25,0 20,-15,25]

The skull-stripped scan is turned (pitch, roll, yaw in degrees) by resampling to 1 mm, scored with and without
alignment, and each map is compared in the world with that of the scan as it came: correlation over the brain
and share of the brain above the model's threshold. Prints one JSON line a turn.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from disyre import brain, geometry
from disyre.adapters.brain_registration import find_pose
from disyre.adapters.nifti import read_nifti
from disyre.model_shelf import ModelShelf
from disyre.pipeline import ScoredVolume, score_volume
from disyre.types import Affine, Voxels
from disyre.volume import Volume
from worker.onnx_restorer import OnnxRestorer

MODELS = Path(__file__).parents[1] / "models"
MARGIN_MM = 30.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--model", default="t1w")
    parser.add_argument("--turns", nargs="+", default=["25,0,0", "0,25,0", "0,0,25", "20,-15,25"])
    arguments = parser.parse_args()
    restorer = OnnxRestorer(ModelShelf(MODELS).find(arguments.model), device="cpu", threads=2)
    scan = read_nifti(arguments.scan)
    straight = _score(scan, restorer, align=False)
    for text in arguments.turns:
        turn = Rotation.from_euler(
            "xyz", [float(angle) for angle in text.split(",")], degrees=True
        ).as_matrix()
        moved, to_moved = turned(scan, turn)
        facts: dict[str, object] = {"turn_deg": text}
        for align in (False, True):
            scored = _score(moved, restorer, align=align)
            name = "aligned" if align else "as_it_lies"
            facts[f"correlation_{name}"] = round(_correlation(straight, scored, scan.affine, to_moved), 3)
            values = scored.anomaly_map.voxels[scored.brain_mask]
            limit = restorer.package.manifest.calibration.threshold
            facts[f"above_{name}_percent"] = round(100 * float((values > limit).mean()), 2)
            facts["found_tilt_deg"] = str(scored.preparation.tilt_deg)
        print(json.dumps(facts), flush=True)


def turned(scan: Volume, turn: Voxels) -> tuple[Volume, Affine]:
    """The scan turned about its middle in the world, on a straight grid of 1 mm, and the turn."""
    middle = geometry.apply_affine(scan.affine, (np.array(scan.shape) - 1)[np.newaxis] / 2)[0]
    to_moved = np.eye(4)
    to_moved[:3, :3], to_moved[:3, 3] = turn, middle - turn @ middle
    edge = int(np.linalg.norm(np.array(scan.shape) * scan.spacing_mm) + MARGIN_MM)
    affine = np.eye(4)
    affine[:3, 3] = middle - (edge - 1) / 2
    to_index = np.linalg.inv(scan.affine) @ np.linalg.inv(to_moved) @ affine
    black = brain.background(scan)
    voxels, inside = (
        ndimage.affine_transform(image, to_index[:3, :3], to_index[:3, 3], (edge,) * 3, order=1, cval=value)
        for image, value in ((scan.voxels, black), (brain.stripped_mask(scan).astype(np.float32), 0.0))
    )
    return Volume(np.where(inside >= 0.5, voxels, np.float32(black)), affine), to_moved


def _score(scan: Volume, restorer: OnnxRestorer, *, align: bool) -> ScoredVolume:
    manifest = restorer.package.manifest
    settings = manifest.scan.model_copy(update={"align": align})
    return score_volume(scan, restorer, manifest, settings=settings, find_pose=find_pose)


def _correlation(straight: ScoredVolume, moved: ScoredVolume, affine: Affine, to_moved: Affine) -> float:
    """Of two maps over the brain of the first, the second looked up where its voxels went."""
    index = np.argwhere(straight.brain_mask)
    places = np.linalg.inv(moved.anomaly_map.affine) @ to_moved @ affine
    there = ndimage.map_coordinates(
        moved.anomaly_map.voxels, geometry.apply_affine(places, index.astype(np.float64)).T, order=1
    )
    return float(np.corrcoef(straight.anomaly_map.voxels[straight.brain_mask], there)[0, 1])


if __name__ == "__main__":
    main()
