"""NIfTI bytes <-> Volume (nibabel for the header, isal for gzip).

The header is checked here before nibabel sees it, because nibabel lets much pass that makes wrong voxels.
Files are read as a stream and never beyond what their header announces, so a small file cannot fill the
memory. Whether a file is compressed is seen from its first bytes, not from its name.

The affine is nibabel's: the sform if it has a code, else the qform if it has one, else the spacing alone.
What is written has both, with the code "aligned to another image": the sform is the affine to float32
precision; the qform is left out where it cannot say the same, because the axes are not at right angles.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

import nibabel as nib
import numpy as np
import numpy.typing as npt
from isal import igzip
from isal.igzip_lib import IsalError
from nibabel.spatialimages import HeaderDataError

from disyre import admission, geometry
from disyre.admission import MAX_VOXELS, OnWarning
from disyre.errors import (
    NotAnImage,
    NotThreeDimensional,
    UnreadableVolume,
    UnsupportedGeometry,
    UnusableVolume,
)
from disyre.types import Affine, Voxels
from disyre.volume import Volume

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
_HEADERS: Final[dict[int, tuple[Callable[..., nib.Nifti1Header], bytes]]] = {
    348: (nib.Nifti1Header, b"n+1"),
    540: (nib.Nifti2Header, b"n+2"),
}
_GZIP_ERRORS: Final = (EOFError, igzip.BadGzipFile, cast(type[Exception], IsalError))
_MAX_OFFSET: Final = 64 * 2**20
"""Header extensions, in bytes; they are skipped."""
_CHUNK: Final = 2**20
_ALIGNED: Final = 2
"""NIFTI_XFORM_ALIGNED_ANAT: the result lies where the scan lies, whatever world that was."""
_QFORM_TOLERANCE_MM: Final = 0.01


@dataclass(frozen=True, eq=False)
class NiftiFacts:
    """What a NIfTI file says about its volume."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    orientation: str
    affine: Affine


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where the voxels are in the stream, and what they mean."""

    shape: tuple[int, int, int]
    affine: Affine
    dtype: np.dtype[np.generic]
    slope: float
    inter: float
    has_world: bool


def inspect_nifti(path: Path, *, max_voxels: int = MAX_VOXELS) -> NiftiFacts:
    """Check that a NIfTI file is whole and holds one 3-D volume, without keeping its voxels in memory.

    Raises NotAnImage, UnreadableVolume, UnusableVolume (or a subclass) or TooLarge.
    """
    with _opened(path) as stream:
        layout = _read_layout(stream, max_voxels)
        _skip(stream, int(np.prod(layout.shape)) * layout.dtype.itemsize)
        _check_end(stream)
    spacing_mm, orientation = geometry.spacing_mm(layout.affine), geometry.orientation(layout.affine)
    return NiftiFacts(layout.shape, spacing_mm, orientation, layout.affine)


def read_nifti(
    path: Path, *, max_voxels: int = MAX_VOXELS, on_warning: OnWarning = admission.ignore
) -> Volume:
    """Read a single-file NIfTI-1 or NIfTI-2, compressed or not, as float32 with its scaling applied.

    `on_warning` is told of voxels that had to be set to 0 and of a missing orientation.
    Raises what `inspect_nifti` raises, and NonFiniteVoxels.
    """
    with _opened(path) as stream:
        layout = _read_layout(stream, max_voxels)
        voxels = _read_voxels(stream, layout)
        _check_end(stream)
    if not layout.has_world:
        on_warning("the header gives no orientation; left and right may be swapped")
    admission.fill_non_finite(voxels, on_warning)
    return Volume(voxels=voxels, affine=layout.affine)


def write_nifti(path: Path, volume: Volume, *, dtype: npt.DTypeLike = np.float32) -> None:
    """Write a volume as NIfTI-1, compressed unless the name ends in `.nii`; equal volumes give equal bytes.

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


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, inflated if it is gzip; errors of the compression become UnreadableVolume."""
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            yield cast(BinaryIO, igzip.IGzipFile(fileobj=file)) if is_gzip else file
        except _GZIP_ERRORS as error:
            raise UnreadableVolume(
                "expected a whole gzip file, got one that is truncated or damaged"
            ) from error


def _read_layout(stream: BinaryIO, max_voxels: int) -> _Layout:
    """Read up to the first voxel."""
    header = _read_header(stream)
    shape = _shape(header)
    admission.check_size(shape, max_voxels=max_voxels)
    dtype = _dtype(header)
    slope, inter = _scaling(header)
    affine = _affine(header)
    admission.check_grid(affine)
    offset = float(header["vox_offset"])
    least = header.sizeof_hdr + 4
    if not (least <= offset <= _MAX_OFFSET and offset.is_integer()):
        raise UnreadableVolume(f"expected voxels at a byte from {least} to {_MAX_OFFSET}, got {offset:g}")
    _skip(stream, int(offset) - header.sizeof_hdr)
    has_world = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    return _Layout(shape, affine, dtype, slope, inter, has_world)


def _read_header(stream: BinaryIO) -> nib.Nifti1Header:
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
    header = make(start + _read_exactly(stream, size - 4), endianness=order, check=False)
    came = bytes(header["magic"].item())[:3]
    if came != magic:
        raise NotAnImage(
            "expected a NIfTI file with header and voxels in one, got a header of another format"
        )
    return header


def _shape(header: nib.Nifti1Header) -> tuple[int, int, int]:
    dim = [int(n) for n in header["dim"]]
    n_axes, sizes = dim[0], dim[1:]
    if not 1 <= n_axes <= len(sizes) or any(n < 1 for n in sizes[:n_axes]):
        raise UnreadableVolume(
            f"expected 1 to {len(sizes)} axes of at least one voxel, got the dimensions {dim}"
        )
    came = tuple(sizes[:n_axes])
    if n_axes < 3 or any(n != 1 for n in came[3:]):
        raise NotThreeDimensional(f"expected one 3-D volume, got an image of shape {came}")
    return came[0], came[1], came[2]


def _dtype(header: nib.Nifti1Header) -> np.dtype[np.generic]:
    code, bits = int(header["datatype"]), int(header["bitpix"])
    if code in _NOT_SCALAR:
        raise UnusableVolume(f"expected one real number for each voxel, got {_NOT_SCALAR[code]} voxels")
    if code not in _DTYPES:
        raise UnreadableVolume(f"expected voxels of a type in {sorted(_DTYPES)} (NIfTI codes), got {code}")
    dtype = np.dtype(_DTYPES[code]).newbyteorder(header.endianness)
    if bits != 8 * dtype.itemsize:
        raise UnreadableVolume(f"expected {8 * dtype.itemsize} bits for a voxel of type {code}, got {bits}")
    return dtype


def _scaling(header: nib.Nifti1Header) -> tuple[float, float]:
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0:  # the standard's way to say that there is no scaling
        return 1.0, 0.0
    if not np.isfinite([slope, inter]).all():
        raise UnreadableVolume(
            f"expected a finite intensity scaling, got slope {slope} and intercept {inter}"
        )
    return slope, inter


def _affine(header: nib.Nifti1Header) -> Affine:
    try:
        with np.errstate(all="ignore"):
            return np.asarray(header.get_best_affine(), dtype=np.float64)
    except (HeaderDataError, ValueError, ArithmeticError) as error:
        raise UnsupportedGeometry(
            "expected a valid qform, got one with an impossible rotation or spacing"
        ) from error


def _read_voxels(stream: BinaryIO, layout: _Layout) -> Voxels:
    """Slice by slice, so that the file's own type is never in memory as a whole."""
    i, j, n_slices = layout.shape
    voxels = np.empty(layout.shape, dtype=np.float32, order="F")
    is_scaled = (layout.slope, layout.inter) != (1.0, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and counted later
        for k in range(n_slices):
            raw = np.frombuffer(_read_exactly(stream, i * j * layout.dtype.itemsize), dtype=layout.dtype)
            values = raw.astype(np.float64) * layout.slope + layout.inter if is_scaled else raw
            voxels[:, :, k] = values.reshape((i, j), order="F")
    return voxels


def _read_exactly(stream: BinaryIO, n_bytes: int) -> bytes:
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise UnreadableVolume("expected as many bytes as the header says, got a truncated file")
    return data


def _skip(stream: BinaryIO, n_bytes: int) -> None:
    while n_bytes > 0:
        n_bytes -= len(_read_exactly(stream, min(n_bytes, _CHUNK)))


def _check_end(stream: BinaryIO) -> None:
    """Nothing may follow; for gzip, this also checks the sum and the length at the end."""
    if stream.read(1):
        raise UnreadableVolume("expected as many bytes as the header says, got more")
