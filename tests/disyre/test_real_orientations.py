"""The same real brain, stored in all 48 axis orientations, with letters burnt into its left and right."""

from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from disyre.adapters.nifti import read_nifti
from disyre.adapters.nifti_write import write_nifti
from disyre.model_manifest import Grid
from disyre.pipeline import score_volume
from disyre.types import Batch
from tests.builders import make_manifest
from tests.real_data import real_data


def smooth(x: Batch, severity: float) -> Batch:
    """A network that takes every detail for an anomaly, the letters first of all."""
    return np.asarray(ndimage.gaussian_filter(x, (0, 0, 2, 2)), dtype=np.float32)


def test_every_orientation_of_a_brain_gives_the_same_map_in_the_world(tmp_path: Path) -> None:
    files = sorted(real_data("geometry/orientations_48").glob("*.nii.gz"))
    manifest = make_manifest(grid=Grid(spacing_mm=2.0, stride=16))
    maps = []
    for file in files:
        scan = read_nifti(file)
        write_nifti(tmp_path / file.name, score_volume(scan, smooth, manifest).anomaly_map)
        maps.append(nib.as_closest_canonical(nib.load(tmp_path / file.name)))

    assert len(maps) == 48
    for other in maps[1:]:
        np.testing.assert_allclose(other.affine, maps[0].affine, atol=1e-3)
        np.testing.assert_allclose(other.get_fdata(), maps[0].get_fdata(), atol=2e-4)
