"""How well the brain network that ships agrees with reference masks of real heads, untouched and defaced.

    scripts/run dev python benchmarks/brain_agreement.py HEAD MASK [HEAD MASK ...] [--pictures FOLDER]

Heads and masks are NIfTI on one grid. Defaced: everything in front of and below a plane that touches the
reference brain is set to 0. Prints one JSON line a head and kind; pictures show the reference green and what
was found red.
"""

import argparse
import json
import math
import time
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot as plt

from disyre import geometry, given_mask
from disyre.adapters.nifti import read_nifti
from disyre.brain_package import BrainPackage
from disyre.resampling import reorient
from disyre.types import Mask
from disyre.volume import Volume
from model_export.brain.surface import Agreement
from worker.onnx_brain import OnnxBrainNetwork

MODELS = Path(__file__).parents[1] / "models"
TILT_DEG = 45.0
"""Of the plane behind which nothing is cut off, against the horizontal."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    package = BrainPackage.newest(MODELS)
    if package is None or len(arguments.files) % 2:
        parser.error("expected a package in models/brain, and pairs of a head and its mask")
    network = OnnxBrainNetwork(package, device="cpu", threads=2)
    for head_file, mask_file in zip(arguments.files[::2], arguments.files[1::2], strict=True):
        head = read_nifti(head_file)
        reference = given_mask.brain_mask(head, read_nifti(mask_file))
        for kind, volume in (("untouched", head), ("defaced", defaced(head, reference))):
            start = time.perf_counter()
            found = network.finder(volume)
            seconds = time.perf_counter() - start
            agreement = Agreement.of(found.mask, reference, volume.spacing_mm)
            ml = geometry.voxel_volume_ml(volume.affine)
            facts = {
                "head": head_file.name.removesuffix(".nii.gz"),
                "kind": kind,
                "network": network.name,
                "dice": round(agreement.dice, 4),
                "hd95_mm": round(agreement.hd95_mm, 2),
                "found_ml": round(np.count_nonzero(found.mask) * ml),
                "reference_ml": round(np.count_nonzero(reference) * ml),
                "seconds": round(seconds, 2),
            }
            print(json.dumps(facts), flush=True)
            if arguments.pictures:
                draw(arguments.pictures / f"{facts['head']}_{kind}.png", volume, found.mask, reference)


def defaced(head: Volume, reference: Mask) -> Volume:
    """A head without what lies in front of and below a plane that touches the brain."""
    indices = np.indices(head.shape, dtype=np.float32).reshape(3, -1)
    _, y, z = head.affine[:3, :3].astype(np.float32) @ indices
    angle = math.radians(TILT_DEG)
    along = (y * math.cos(angle) - z * math.sin(angle)).reshape(head.shape)
    return head.with_voxels(np.where(along > along[reference].max(), np.float32(0), head.voxels))


def draw(path: Path, volume: Volume, found: Mask, reference: Mask) -> None:
    """Three planes through the middle of the reference, with both outlines, and two more axial slices."""
    matplotlib.use("agg")
    path.parent.mkdir(parents=True, exist_ok=True)
    ras = np.diag([1.0, 1.0, 1.0, 1.0])
    image, mine, theirs = (
        reorient(volume.with_voxels(voxels.astype(np.float32)), ras)
        for voxels in (volume.voxels, found, reference)
    )
    x, y, z = (round(float(c)) for c in np.argwhere(theirs.voxels > 0).mean(axis=0))
    quarter = image.shape[2] // 8
    sx, sy, sz = image.spacing_mm
    cuts = [
        (np.s_[:, :, z], sy / sx),
        (np.s_[:, y, :], sz / sx),
        (np.s_[x, :, :], sz / sy),
        (np.s_[:, :, max(0, z - quarter)], sy / sx),
        (np.s_[:, :, min(image.shape[2] - 1, z + quarter)], sy / sx),
    ]
    figure, axes = plt.subplots(1, len(cuts), figsize=(20, 5), facecolor="black")
    for axis, (cut, aspect) in zip(axes, cuts, strict=True):
        axis.imshow(image.voxels[cut].T, cmap="gray", origin="lower", aspect=aspect)
        axis.contour(theirs.voxels[cut].T, [0.5], colors="lime", linewidths=0.8)
        axis.contour(mine.voxels[cut].T, [0.5], colors="red", linewidths=0.8)
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    plt.close(figure)


if __name__ == "__main__":
    main()
