"""A second opinion: what dcm2niix makes of the same DICOM files has the same values at the same places."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dcm2niix
import nibabel as nib
import pytest
from pydicom import uid

from disyre.adapters.archive import ArchiveLimits, read_members
from disyre.adapters.dicom_read import read_dicom
from tests import dicom_phantom as phantom
from tests.dicom_phantom import encoded, make_enhanced, make_series
from tests.nifti_files import assert_same_scan
from tests.real_data import VENDOR_CROPS, real_data

SERIES: dict[str, dict[str, Any]] = {
    "axial": {"orientation": phantom.AXIAL},
    "axial, columns reversed": {"orientation": phantom.AXIAL_REVERSED},
    "coronal": {"orientation": phantom.CORONAL},
    "sagittal": {"orientation": phantom.SAGITTAL},
    "double oblique": {"orientation": phantom.DOUBLE_OBLIQUE},
    "rescaled": {"slope": 2.5, "intercept": -1000.0},
    "signed": {"intercept": 30_000.0, "PixelRepresentation": 1},
    "12 bits": {"slope": 16.0, "BitsStored": 12, "HighBit": 11},
}


def by_dcm2niix(files: Sequence[bytes], folder: Path, *, private_scales: bool = True) -> nib.Nifti1Image:
    """The one volume that dcm2niix sees in some files, with the private scale of Philips files or without."""
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    for number, content in enumerate(files):
        (folder / "in" / f"{number}.dcm").write_bytes(content)
    scales = "y" if private_scales else "n"
    options = ["-z", "n", "-b", "n", "-p", scales, "-f", "%s", "-o", str(folder / "out"), str(folder / "in")]
    dcm2niix.main(options, capture_output=True, check=True)
    (found,) = (folder / "out").glob("*.nii")
    return nib.Nifti1Image.from_filename(found)


@pytest.mark.parametrize("attributes", SERIES.values(), ids=SERIES)
def test_a_series_is_where_dcm2niix_puts_it(tmp_path: Path, attributes: dict[str, Any]) -> None:
    files = encoded(make_series(8, **attributes))

    assert_same_scan(read_dicom(files), by_dcm2niix(files, tmp_path))


def test_slopes_that_differ_from_image_to_image_are_those_that_dcm2niix_sees(tmp_path: Path) -> None:
    files = encoded([make_series(8, slope=1.0 + k, intercept=100.0 * k)[k] for k in range(8)])

    assert_same_scan(read_dicom(files), by_dcm2niix(files, tmp_path))


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless], ids=str)
def test_a_compressed_series_has_the_values_that_dcm2niix_sees(tmp_path: Path, syntax: uid.UID) -> None:
    files = encoded(make_series(8, shape=(33, 36)), syntax)

    assert_same_scan(read_dicom(files), by_dcm2niix(files, tmp_path))


@pytest.mark.parametrize("orientation", [phantom.CORONAL, phantom.DOUBLE_OBLIQUE], ids=["coronal", "oblique"])
def test_an_enhanced_image_is_where_dcm2niix_puts_it(tmp_path: Path, orientation: Sequence[float]) -> None:
    files = encoded([make_enhanced(make_series(8, orientation=orientation))])

    assert_same_scan(read_dicom(files), by_dcm2niix(files, tmp_path))


@pytest.mark.parametrize(
    "folder",
    VENDOR_CROPS,
)
def test_crops_of_the_files_of_several_vendors(tmp_path: Path, folder: str) -> None:
    path = real_data(f"geometry/vendor_crops/{folder}")
    files = [file.read_bytes() for file in sorted(path.glob("*.dcm"))]

    image = by_dcm2niix(files, tmp_path, private_scales=not folder.startswith("philips"))

    assert_same_scan(read_dicom(files), image)


def test_an_enhanced_image_of_a_whole_head(tmp_path: Path) -> None:
    files = [file.read_bytes() for file in real_data("geometry/enhanced_mr_t1w").rglob("*.dcm")]

    assert_same_scan(read_dicom(files), by_dcm2niix(files, tmp_path))


def test_a_series_of_a_whole_head(tmp_path: Path) -> None:
    files = list(read_members(real_data("dicom_t1w_head/series.zip"), ArchiveLimits()))

    assert_same_scan(read_dicom(files), by_dcm2niix(files, tmp_path))
