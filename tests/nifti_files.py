"""NIfTI files for tests: right by default, wrong on demand."""

from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from disyre.types import Affine, Opener
from disyre.volume import Volume


def nifti_bytes(
    voxels: npt.NDArray[Any] | None = None,
    affine: Affine | None = None,
    *,
    image_class: Callable[..., Any] = nib.Nifti1Image,
    **fields: Any,
) -> bytes:
    """An uncompressed NIfTI by nibabel; `fields` are then written over its header, right or wrong."""
    if voxels is None:
        voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    image = image_class(voxels, np.eye(4) if affine is None else affine, dtype=voxels.dtype)
    image.header.set_xyzt_units("mm")
    content = bytearray(image.to_bytes())
    size = image.header.sizeof_hdr
    header = type(image.header)(bytes(content[:size]), check=False)
    with np.errstate(all="ignore"):
        for name, value in fields.items():
            header[name] = value
    content[:size] = header.binaryblock
    return bytes(content)


def write_bytes(folder: Path, content: bytes) -> Path:
    """A file under the neutral name that uploads have."""
    path = folder / "000001"
    path.write_bytes(content)
    return path


def as_members(contents: Sequence[bytes]) -> list[Opener]:
    """Files as an archive gives them."""
    return [partial(BytesIO, content) for content in contents]


def assert_same_scan(volume: Volume, image: nib.Nifti1Image) -> None:
    """Equal values at equal places, in whatever order each is stored."""
    ours = nib.as_closest_canonical(nib.Nifti1Image(volume.voxels, volume.affine))
    theirs = nib.as_closest_canonical(nib.squeeze_image(image))
    np.testing.assert_allclose(ours.get_fdata(), theirs.get_fdata(), rtol=1e-6)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=2e-4)
