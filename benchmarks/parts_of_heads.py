"""How much of the brain the network that ships still finds in a part of a head, slab by slab.

    scripts/run dev python benchmarks/parts_of_heads.py HEAD [HEAD ...]

Heads are NIfTI. A slab holds the slices between two shares of the height of the scan, from below; its
reference is the part of the mask of the whole scan that lies in it. Prints one JSON line a head and slab.
"""

import argparse
import json
from pathlib import Path
from typing import Final

import numpy as np

from disyre import brain, geometry
from disyre.adapters.nifti import read_nifti
from disyre.brain_package import BrainPackage
from disyre.crop import Crop
from disyre.errors import NotBrainMr
from disyre.resampling import reorient
from disyre.volume import Volume
from model_export.brain.surface import Agreement
from worker.onnx_brain import OnnxBrainNetwork

MODELS: Final = Path(__file__).parents[1] / "models"
SLABS: Final = ((0, 0.46), (0, 0.7), (0.3, 1), (0.42, 1), (0.5, 1), (0.58, 1), (0.3, 0.7))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("heads", nargs="+", type=Path)
    arguments = parser.parse_args()
    package = BrainPackage.newest(MODELS)
    if package is None:
        parser.error("expected a package in models/brain")
    network = OnnxBrainNetwork(package, device="cpu", threads=2)
    for path in arguments.heads:
        head = reorient(read_nifti(path), np.eye(4))
        whole = head.with_voxels(network.finder(head).mask.astype(np.float32))
        for low, high in SLABS:
            facts = {"head": path.name.removesuffix(".nii.gz"), "from": low, "to": high}
            print(
                json.dumps(facts | measure(network, slab(head, low, high), slab(whole, low, high))),
                flush=True,
            )


def slab(volume: Volume, low: float, high: float) -> Volume:
    """The axial slices between two shares of the height."""
    columns, rows, n = volume.shape
    first, last = round(low * n), round(high * n)
    return Crop(volume.shape, (0, 0, first), (columns, rows, last - first)).volume(volume)


def measure(network: OnnxBrainNetwork, part: Volume, reference: Volume) -> dict[str, object]:
    """Brain that is there, brain that is found, and how far both agree."""
    inside = reference.voxels > 0
    there = {"network": network.name, "brain_ml": round(brain.volume_ml(inside, part))}
    try:
        found = network.finder(part).mask
    except NotBrainMr as error:
        return there | {"refused": str(error)}
    agreement = Agreement.of(found, inside, geometry.spacing_mm(part.affine))
    return there | {"found_ml": round(brain.volume_ml(found, part)), "dice": round(agreement.dice, 3)}


if __name__ == "__main__":
    main()
