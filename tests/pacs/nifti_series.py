"""A real scan that came as NIfTI, as the MR images that it may have been: same values, same places."""

from pathlib import Path
from typing import Final

import nibabel as nib
import numpy as np
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from tests.dicom_phantom import encoded, make_series
from tests.service.series.made_series import T1W

STUDY: Final = generate_uid(entropy_srcs=["study of a real scan"])
SERIES: Final = generate_uid(entropy_srcs=["series of a real scan"])


def series_of(path: Path) -> list[bytes]:
    """A file for each slice of the last axis of a NIfTI with whole numbers below 65536."""
    image = nib.Nifti1Image.from_filename(path)
    voxels = np.asanyarray(image.dataobj)
    assert voxels.dtype == np.uint16
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine  # of DICOM's patient (LPS)
    columns, rows, n_slices = voxels.shape
    along_row, along_column = (affine[:3, axis] / np.linalg.norm(affine[:3, axis]) for axis in (0, 1))
    made = make_series(
        n_slices,
        shape=(columns, rows),
        spacing_mm=(float(np.linalg.norm(affine[:3, 1])), float(np.linalg.norm(affine[:3, 0]))),
        orientation=(*along_row, *along_column),
        positions=[(affine @ (0, 0, k, 1))[:3] for k in range(n_slices)],
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=SERIES,
        SliceThickness=float(np.linalg.norm(affine[:3, 2])),
        **T1W,
    )
    return encoded([_with(each, voxels[:, :, k]) for k, each in enumerate(made)])


def _with(image: FileDataset, plane: np.ndarray) -> FileDataset:
    """An image with other values (column, row), scaled by nothing."""
    image.RescaleSlope, image.RescaleIntercept = 1, 0
    image.PixelData = np.ascontiguousarray(plane.T).astype("<u2").tobytes()
    return image
