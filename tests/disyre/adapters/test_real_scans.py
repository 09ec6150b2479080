"""Real scans: files of scanners, with their reference results. Skipped where there are none."""

import nibabel as nib
import numpy as np
import pytest

from disyre.adapters.archive import ArchiveLimits, read_members
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.nifti import inspect_nifti, read_nifti
from disyre.errors import (
    DisyreError,
    MultipleVolumes,
    NotBrainMr,
    TooFewSlices,
    UnusableVolume,
)
from tests.nifti_files import assert_same_scan
from tests.real_data import VENDOR_CROPS, real_data


def test_a_series_of_a_whole_head() -> None:
    members = read_members(real_data("dicom_t1w_head/series.zip"), ArchiveLimits())
    warnings: list[str] = []

    volume = read_dicom(members, on_warning=warnings.append)

    assert (volume.shape, volume.orientation, warnings) == ((274, 384, 384), "LPS", [])
    np.testing.assert_allclose(volume.spacing_mm, (0.69999, 0.66667, 0.66667), atol=1e-5)
    # As the header of its first file says.
    np.testing.assert_allclose(volume.affine[:3, 3], (91.4496, 160.0604, -142.5055), atol=1e-4)
    assert volume.voxels.max() == 278


@pytest.mark.parametrize(
    "folder",
    VENDOR_CROPS,
)
def test_crops_of_the_files_of_several_vendors(folder: str) -> None:
    path = real_data(f"geometry/vendor_crops/{folder}")

    volume = read_dicom(sorted(path.glob("*.dcm")))

    (reference,) = path.parent.glob(f"{path.name}_ground_truth.nii.gz")
    assert_same_scan(volume, nib.Nifti1Image.from_filename(reference))


@pytest.mark.parametrize(
    ("folder", "error"),
    [("slicecount", TooFewSlices), ("sliceorientation", MultipleVolumes), ("gantrytilting", NotBrainMr)],
)
def test_crops_that_are_no_volume(folder: str, error: type[DisyreError]) -> None:
    path = real_data(f"geometry/vendor_crops/failing/{folder}/001")

    with pytest.raises(error):
        read_dicom(sorted(path.glob("*.dcm")))


def test_an_enhanced_image_of_a_whole_head() -> None:
    folder = real_data("geometry/enhanced_mr_t1w")

    volume = read_dicom(folder.rglob("*.dcm"))

    assert_same_scan(volume, nib.Nifti1Image.from_filename(next(folder.rglob("*.nii"))))


def test_orientations_are_named_as_the_files_are() -> None:
    files = sorted(real_data("geometry/orientations_48").glob("*.nii.gz"))

    assert {path.name: inspect_nifti(path).orientation for path in files} == {
        path.name: path.name.removesuffix(".nii.gz") for path in files
    }
    assert len(files) == 48


@pytest.mark.parametrize("folder", ["healthy_t1w/ds002748", "lesion/glioma_FG-6692", "ms_native/patient04"])
def test_scans_read_as_nibabel_reads_them(folder: str) -> None:
    path = sorted(real_data(folder).glob("*T1w.nii.gz"))[-1]

    volume = read_nifti(path)

    image = nib.Nifti1Image.from_filename(path)
    np.testing.assert_array_equal(volume.voxels, image.get_fdata(dtype=np.float32))
    np.testing.assert_array_equal(volume.affine, image.affine)


def test_a_colour_image_is_refused() -> None:
    path = real_data("geometry/vendor_crops/generic/rgb/001_ground_truth.nii.gz")

    with pytest.raises(UnusableVolume, match="RGBA"):
        inspect_nifti(path)
