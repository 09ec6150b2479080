"""Volume -> NIfTI bytes (nibabel for the header, isal for gzip).

What is written has both positions, with the code "aligned to another image": the sform is the affine to
float32 precision; the qform is left out where it cannot say the same, because the axes are not at right
angles.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final, cast

import nibabel as nib
import numpy as np
import numpy.typing as npt
from isal import igzip

from disyre.progress import OnStep, go_on
from disyre.volume import Volume

_ALIGNED: Final = 2
"""NIFTI_XFORM_ALIGNED_ANAT: the result lies where the scan lies, whatever world that was."""
_QFORM_TOLERANCE_MM: Final = 0.01


def write_nifti(
    path: Path, volume: Volume, *, dtype: npt.DTypeLike = np.float32, on_step: OnStep = go_on
) -> None:
    """Write a volume as NIfTI-1, compressed unless the name ends in `.nii`; equal volumes give equal bytes.

    `on_step` is called after each slice.
    Raises ValueError if `dtype` is an integer type that cannot hold the values exactly.
    """
    header = _header(volume, np.dtype(dtype))
    with ExitStack() as stack:
        stream: BinaryIO = stack.enter_context(path.open("wb"))
        if path.suffix != ".nii":
            # No name and no time in the gzip header.
            packed = igzip.IGzipFile(filename="", mode="wb", compresslevel=1, fileobj=stream, mtime=0)
            stream = cast(BinaryIO, stack.enter_context(packed))
        stream.write(header.binaryblock + bytes(4))
        for k in range(volume.shape[2]):
            stream.write(_cast(volume.voxels[:, :, k], header.get_data_dtype()).tobytes(order="F"))
            on_step()


def _header(volume: Volume, dtype: np.dtype[np.generic]) -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_data_shape(volume.shape)
    header.set_data_dtype(dtype)
    header.set_zooms(volume.spacing_mm)
    header.set_xyzt_units("mm")
    header["magic"], header["vox_offset"] = b"n+1", 352
    header.set_slope_inter(1.0, 0.0)
    header.set_sform(volume.affine, code=_ALIGNED)
    header.set_qform(volume.affine, code=_ALIGNED, strip_shears=True)
    # At most so far apart, in mm, is any voxel of the two worlds.
    apart_mm = np.abs(header.get_qform() - volume.affine) @ [*volume.shape, 1.0]
    if apart_mm.max() > _QFORM_TOLERANCE_MM:
        header.set_qform(None)
        header.set_zooms(volume.spacing_mm)
    return header


def _cast(voxels: npt.NDArray[np.generic], dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    """The same values as another type."""
    with np.errstate(invalid="ignore"):
        values = voxels.astype(dtype)
    if np.issubdtype(dtype, np.integer) and not np.array_equal(values, voxels):
        raise ValueError(f"expected values that {dtype} can hold exactly, got others")
    return values
