"""The scans that ship can be read, and are what their README says."""

from pathlib import Path

import numpy as np
import pytest

from disyre import brain, given_mask
from disyre.adapters.archive import ArchiveLimits, check_archive, read_members
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.nifti import read_nifti
from disyre.geometry import voxel_volume_ml

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_nifti_example_is_a_skull_stripped_brain() -> None:
    volume = read_nifti(EXAMPLES / "t1w.nii.gz")

    mask = brain.stripped_mask(volume)

    assert volume.shape == (171, 183, 130)
    assert volume.spacing_mm == pytest.approx((0.868, 0.868, 1.0), abs=0.001)
    assert 1000 < mask.sum() * voxel_volume_ml(volume.affine) < 1600
    assert not volume.voxels[~mask].any()


def test_the_dicom_example_is_a_head_with_a_mask_on_its_grid() -> None:
    warnings: list[str] = []

    volume = read_dicom(read_members(EXAMPLES / "head.zip", ArchiveLimits()), on_warning=warnings.append)

    assert check_archive(EXAMPLES / "head.zip", ArchiveLimits()) == 192
    assert (volume.shape, volume.orientation, warnings) == ((137, 192, 192), "LPS", [])
    mask = given_mask.brain_mask(volume, read_nifti(EXAMPLES / "head_mask.nii.gz"))
    assert 1500 < mask.sum() * voxel_volume_ml(volume.affine) < 2000
    assert volume.voxels[mask].mean() > 3 * volume.voxels[~mask].mean()
    centre = np.argwhere(mask).mean(axis=0) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    assert np.abs(centre).max() < 60  # near the middle of the scanner


def test_every_example_is_named_with_its_licence() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    for path in EXAMPLES.iterdir():
        assert path.name == "README.md" or f"| `{path.name}` |" in text
