"""NIfTI headers: where the voxels are in a file, and what they mean (nibabel).

The header is checked here before nibabel sees it, because nibabel lets much pass that makes wrong voxels.

Where the scan lies is read by `nifti_position`.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

import nibabel as nib
import numpy as np

from disyre import admission, geometry
from disyre.adapters.nifti_position import Form, affine_of, check_grid, form_of, oddities
from disyre.adapters.nifti_stream import read_exactly
from disyre.errors import (
    InvalidParams,
    NotAnImage,
    NotThreeDimensional,
    TooLarge,
    UnreadableVolume,
    UnusableVolume,
)
from disyre.types import Affine

_DTYPES: Final = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
"""NIfTI datatype codes with one real number a voxel."""
_NOT_SCALAR: Final = {32: "complex", 1792: "complex", 2048: "complex", 128: "RGB", 2304: "RGBA"}
_NOT_READ: Final = {0: "no type at all", 1: "single bits", 1536: "decimal ones of 128 bits"}
"""Types that NIfTI has, and that are not read."""
_HEADERS: Final[dict[int, tuple[Callable[..., nib.Nifti1Header], bytes]]] = {
    348: (nib.Nifti1Header, b"n+1"),
    540: (nib.Nifti2Header, b"n+2"),
}
SINGLE: Final = (b"n+1", b"n+2")
PAIR: Final = (b"ni1", b"ni2")
"""What the header says of a file with header and voxels, and of two files."""
_EXTENSION_FLAG: Final = 4
"""Bytes behind the header of a single file that say whether it has extensions."""
MAX_OFFSET: Final = 64 * 2**20
"""Header extensions, in bytes; they are skipped."""
NOT_NIFTI: Final = (
    "expected a NIfTI file, got a header of another format, such as Analyze 7.5, which does not say "
    "where left and right are"
)
"""What to say of a header that is as long as that of NIfTI, and is none."""
_MOST_VOLUMES_OF_VOXELS: Final = 16
"""All volumes of a file together may have so many times the voxels that one may have."""


@dataclass(frozen=True, eq=False)
class NiftiLayout:
    """Where the voxels are in the stream, and what they mean."""

    shape: tuple[int, int, int]
    n_volumes: int
    affine: Affine
    form: Form
    dtype: np.dtype[np.generic]
    slope: float
    inter: float
    offset: int
    """Bytes between the header and the first voxel, if both are in one file; of a pair, in front of it."""
    warnings: tuple[str, ...]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along i, j and k, in mm."""
        return geometry.spacing_mm(self.affine)

    @property
    def orientation(self) -> str:
        """Axis codes of the voxel grid, as in "RAS"."""
        return geometry.orientation(self.affine)

    @property
    def n_bytes(self) -> int:
        """Of one volume."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def volume(self, index: int | None) -> int:
        """The place of the volume that was asked for.

        Raises NotThreeDimensional if none was and there are several, InvalidParams if there is none such.
        """
        if index is None and self.n_volumes > 1:
            raise NotThreeDimensional(
                f"expected one 3-D volume, got {self.n_volumes} of {self.shape} voxels; the option "
                f"volume_index, from 0 to {self.n_volumes - 1}, picks one"
            )
        if index is not None and index >= self.n_volumes:
            raise InvalidParams(f"expected a volume_index from 0 to {self.n_volumes - 1}, got {index}")
        return index or 0


def read_layout(stream: BinaryIO, max_voxels: int, *, is_pair: bool = False) -> NiftiLayout:
    """Read a header, and check all that it says."""
    header = _read_header(stream, is_pair=is_pair)
    shape, n_volumes = _shape(header)
    admission.check_size(shape, max_voxels=max_voxels)
    if n_volumes * math.prod(shape) > _MOST_VOLUMES_OF_VOXELS * max_voxels:
        most = _MOST_VOLUMES_OF_VOXELS * max_voxels
        raise TooLarge(
            f"expected at most {most} voxels in all volumes together, got {n_volumes} of {shape}; send one "
            f"volume by itself, or {admission.RAISE_LIMIT}"
        )
    dtype = _dtype(header)
    slope, inter = _scaling(header)
    affine = affine_of(header)
    check_grid(affine, header)
    return NiftiLayout(
        shape,
        n_volumes,
        affine,
        form_of(header),
        dtype,
        slope,
        inter,
        _offset(header, is_pair=is_pair),
        (*_unplaced(header, is_pair=is_pair), *oddities(header, affine, shape)),
    )


def _offset(header: nib.Nifti1Header, *, is_pair: bool) -> int:
    """Bytes between the header and the first voxel; of a pair, in front of it. Raises UnreadableVolume."""
    offset = float(header["vox_offset"])
    least = 0 if is_pair else header.sizeof_hdr + _EXTENSION_FLAG
    if _is_unplaced(header, is_pair=is_pair):
        offset = float(least)
    if not (least <= offset <= MAX_OFFSET and offset.is_integer()):
        raise UnreadableVolume(
            f"expected a header that says at which byte the voxels begin (vox_offset, {least} to "
            f"{MAX_OFFSET}), got {offset:g}; the file is damaged or was saved wrongly: convert the scan again"
        )
    return int(offset) - (0 if is_pair else header.sizeof_hdr)


def _is_unplaced(header: nib.Nifti1Header, *, is_pair: bool) -> bool:
    """Whether a header with voxels behind it in its file does not say where they begin."""
    return not is_pair and header["vox_offset"] == 0


def _unplaced(header: nib.Nifti1Header, *, is_pair: bool) -> tuple[str, ...]:
    if not _is_unplaced(header, is_pair=is_pair):
        return ()
    return (
        "the header does not say where in the file the voxels begin; that they follow it at once was "
        "assumed, which the length of the file fits",
    )


def _read_header(stream: BinaryIO, *, is_pair: bool) -> nib.Nifti1Header:
    """The header in the byte order it was written in; of its content only the magic is checked."""
    start = stream.read(4)
    orders = [(struct.unpack(order + "i", start)[0], order) for order in "<>"] if len(start) == 4 else []
    known = [(size, order) for size, order in orders if size in _HEADERS]
    if not known:
        raise NotAnImage(
            "expected a NIfTI file, got " + ("another kind of file" if start else "an empty file")
        )
    size, order = known[0]
    make, magic = _HEADERS[size]
    header = make(start + read_exactly(stream, size - 4), endianness=order, check=False)
    came = bytes(header["magic"].item())[:3]
    if came == (magic.replace(b"+", b"i") if is_pair else magic):
        if header["pixdim"][0] == 0:  # "should not occur", and means 1
            header["pixdim"][0] = 1
        return header
    if came in PAIR:
        raise NotAnImage(
            "expected header and voxels in one file, got the header of a pair; send both files (.hdr, .img) "
            "in a zip"
        )
    raise NotAnImage(NOT_NIFTI)


def _shape(header: nib.Nifti1Header) -> tuple[tuple[int, int, int], int]:
    """Of a volume, and how many there are."""
    dim = [int(n) for n in header["dim"]]
    n_axes, sizes = dim[0], dim[1:]
    if not 1 <= n_axes <= len(sizes) or any(n < 1 for n in sizes[:n_axes]):
        raise UnreadableVolume(
            f"expected 1 to {len(sizes)} axes of at least one voxel, got the dimensions {dim}"
        )
    came = tuple(sizes[:n_axes])
    if n_axes < 3:
        raise NotThreeDimensional(f"expected a 3-D volume, got an image of shape {came}")
    return (came[0], came[1], came[2]), math.prod(came[3:])


def _dtype(header: nib.Nifti1Header) -> np.dtype[np.generic]:
    code, bits = int(header["datatype"]), int(header["bitpix"])
    if code in _NOT_SCALAR:
        raise UnusableVolume(f"expected one real number for each voxel, got {_NOT_SCALAR[code]} voxels")
    if code not in _DTYPES:
        raise UnreadableVolume(
            "expected voxels that are whole numbers of 8 to 64 bits or decimal ones of 32 or 64 bits, got "
            + _NOT_READ.get(code, f"a type that NIfTI does not have (code {code})")
        )
    dtype = np.dtype(_DTYPES[code]).newbyteorder(header.endianness)
    if bits != 8 * dtype.itemsize:
        raise UnreadableVolume(
            f"expected a header that says {8 * dtype.itemsize} bits for each of its voxels, as their type "
            f"has, got {bits}; convert the scan again"
        )
    return dtype


def _scaling(header: nib.Nifti1Header) -> tuple[float, float]:
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0:  # the standard's way to say that there is no scaling
        return 1.0, 0.0
    if not np.isfinite([slope, inter]).all():
        raise UnreadableVolume(
            f"expected a finite intensity scaling (scl_slope, scl_inter), got slope {slope:g} and intercept "
            f"{inter:g}; if the stored values are those that were measured, write 1 and 0 there, or convert "
            "the scan again"
        )
    return slope, inter
