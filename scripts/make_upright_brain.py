#!/usr/bin/env python3
"""Makes disyre/adapters/upright_brain.npz: the mean brain of label maps, upright, left as right.

    .venv/dev/bin/python scripts/make_upright_brain.py FOLDER

Each brain is laid upon the mean of all, several times over; upright is how people lie in scanners on average.
"""

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from disyre.adapters.brain_registration import UPRIGHT_BRAIN, UprightBrain, on_upright, register
from disyre.tilt import SPACING_MM, coarse_brain
from disyre.types import Voxels
from disyre.volume import Volume
from model_export.brain.label_maps import brain_of

HIGHEST = 15
SHAPE = (64, 72, 64)
ROUNDS = 4
PITCH_DEG = 6.0
"""The heads of the label maps lie so much further back than people in scanners do on average (OpenNeuro
ds002748 and OASIS, of which the first models saw the former); upright is how the latter lie."""


def read_brain(path: Path) -> Voxels:
    """The smooth brain of a label map, on the coarse grid."""
    image = nib.as_closest_canonical(nib.load(path))
    mask = brain_of(np.rint(np.asarray(image.dataobj)).astype(np.int32))
    return coarse_brain(Volume(mask.astype(np.float32), np.asarray(image.affine)), mask)


def in_the_middle(brain: Voxels, turn: Rotation | None = None) -> Voxels:
    """A brain with its centre in that of a grid, turned about it."""
    matrix = np.eye(3) if turn is None else turn.as_matrix()
    offset = np.array(ndimage.center_of_mass(brain)) - matrix @ ((np.array(SHAPE) - 1) / 2)
    return np.asarray(ndimage.affine_transform(brain, matrix, offset, output_shape=SHAPE, order=1))


def both_sides(brain: Voxels) -> Voxels:
    """The mean of a brain and its mirror image."""
    return (brain + brain[::-1]) / 2


def main() -> None:
    """Make the file, and say how every head lies against their mean."""
    paths = sorted(Path(sys.argv[1]).glob("*.nii.gz"))
    brains = [read_brain(path) for path in paths]
    mean = both_sides(np.mean([in_the_middle(brain) for brain in brains], axis=0))
    for _ in range(ROUNDS):
        upright = UprightBrain(mean.astype(np.float32), SPACING_MM)
        found = [register(brain, SPACING_MM, upright) for brain in brains]
        laid = [on_upright(brain, SPACING_MM, upright, f) for brain, f in zip(brains, found, strict=True)]
        # The mean turn is taken back, so that upright stays the mean of how heads lay.
        mean_turn = Rotation.from_matrix([f.turn for f in found]).mean()
        mean = both_sides(in_the_middle(np.mean(laid, axis=0), mean_turn.inv()))
    mean = both_sides(in_the_middle(mean, Rotation.from_euler("x", PITCH_DEG, degrees=True)))
    for path, f in zip(paths, found, strict=True):
        angles = Rotation.from_matrix(f.turn).as_euler("xyz", degrees=True).round(1)
        print(f"{path.name}: pitch, roll, yaw {angles.tolist()} degrees, scale {f.scale:.2f}")
    levels = np.rint(mean * HIGHEST).astype(np.uint8)
    (box,) = ndimage.find_objects((levels > 0).astype(np.int8))
    levels = levels[box]
    np.savez_compressed(UPRIGHT_BRAIN, levels=levels, highest=HIGHEST, spacing_mm=SPACING_MM)
    print(f"{UPRIGHT_BRAIN.name}: {levels.shape}, {UPRIGHT_BRAIN.stat().st_size} bytes")


if __name__ == "__main__":
    main()
