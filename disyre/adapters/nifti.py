"""NIfTI bytes <-> Volume (nibabel for the header, isal for gzip).

The header is checked here before nibabel sees it, because nibabel lets much pass that makes wrong voxels.
Files are read as a stream and never beyond what their header announces, so a small file cannot fill the
memory. Whether a file is compressed is seen from its first bytes, not from its name.

The affine is nibabel's: the sform if it has a code, else the qform if it has one, else the spacing alone. If
sform and qform put a corner of the scan more than 1 mm apart, the sform is taken, with a warning; a qform
that is not taken need not be valid.
What is written has both, with the code "aligned to another image": the sform is the affine to float32
precision; the qform is left out where it cannot say the same, because the axes are not at right angles.
"""

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import product
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
    InvalidParams,
    MultipleVolumes,
    NotAnImage,
    NotThreeDimensional,
    TooLarge,
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
_SINGLE: Final = (b"n+1", b"n+2")
_PAIR: Final = (b"ni1", b"ni2")
_GZIP_ERRORS: Final = (EOFError, igzip.BadGzipFile, cast(type[Exception], IsalError))
_MAX_OFFSET: Final = 64 * 2**20
"""Header extensions, in bytes; they are skipped."""
_CHUNK: Final = 2**20
_ALIGNED: Final = 2
"""NIFTI_XFORM_ALIGNED_ANAT: the result lies where the scan lies, whatever world that was."""
_QFORM_TOLERANCE_MM: Final = 0.01
_SAME_WORLD_MM: Final = 1.0
"""So far apart may sform and qform put a corner of the scan without a word."""
_MOST_VOLUMES_OF_VOXELS: Final = 16
"""All volumes of a file together may have so many times the voxels that one may have."""


@dataclass(frozen=True, eq=False)
class NiftiFacts:
    """What a NIfTI file says about its volume."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    orientation: str
    affine: Affine
    n_volumes: int
    warnings: tuple[str, ...]
    """What is odd about the header."""


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where the voxels are in the stream, and what they mean."""

    shape: tuple[int, int, int]
    n_volumes: int
    affine: Affine
    dtype: np.dtype[np.generic]
    slope: float
    inter: float
    offset: int
    """Bytes between the header and the first voxel, if both are in one file; of a pair, in front of it."""
    warnings: tuple[str, ...]

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


def inspect_nifti(path: Path, *, max_voxels: int = MAX_VOXELS, volume_index: int | None = None) -> NiftiFacts:
    """Check that a NIfTI file is whole and has the volume, without keeping its voxels in memory.

    Raises NotAnImage, UnreadableVolume, UnusableVolume (or a subclass), TooLarge, or InvalidParams if there
    is no volume of this index.
    """
    with _opened(path) as stream:
        layout = _read_layout(stream, max_voxels)
        layout.volume(volume_index)
        _skip(stream, layout.offset + layout.n_volumes * layout.n_bytes)
        _check_end(stream)
    spacing_mm, orientation = geometry.spacing_mm(layout.affine), geometry.orientation(layout.affine)
    return NiftiFacts(layout.shape, spacing_mm, orientation, layout.affine, layout.n_volumes, layout.warnings)


def read_nifti(
    path: Path,
    *,
    max_voxels: int = MAX_VOXELS,
    volume_index: int | None = None,
    on_warning: OnWarning = admission.ignore,
) -> Volume:
    """Read a single-file NIfTI-1 or NIfTI-2, compressed or not, as float32 with its scaling applied.

    `volume_index` picks one of several volumes. `on_warning` is told of voxels that had to be set to 0 and of
    what is odd about the header.
    Raises what `inspect_nifti` raises, and NonFiniteVoxels.
    """
    with _opened(path) as stream:
        return _read_volume(stream, stream, max_voxels, volume_index, on_warning)


def read_nifti_members(
    members: Sequence[bytes],
    *,
    max_voxels: int = MAX_VOXELS,
    volume_index: int | None = None,
    on_warning: OnWarning = admission.ignore,
) -> Volume:
    """Read the one NIfTI among the files of an archive: a single file, or a pair of header and voxels.

    Each may be compressed. Of a pair, the voxels are in the one other file that is as long as the header
    says.
    Raises MultipleVolumes if there are several, NotAnImage if there is none, and what `read_nifti` raises.
    """
    found = [content for content in members if nifti_magic(content) is not None]
    if len(found) != 1:
        raise (MultipleVolumes if found else NotAnImage)(
            f"expected an archive with one NIfTI image in it, got {len(found)}"
        )
    (header,) = found
    with _inflating(BytesIO(header)) as stream:
        if nifti_magic(header) in _SINGLE:
            return _read_volume(stream, stream, max_voxels, volume_index, on_warning)
        layout = _read_layout(stream, max_voxels, is_pair=True)
        _check_end(stream)
    voxels = _voxels_of_pair([content for content in members if content is not header], layout)
    with _inflating(BytesIO(header)) as stream, _inflating(BytesIO(voxels)) as image:
        return _read_volume(stream, image, max_voxels, volume_index, on_warning)


def nifti_magic(content: bytes) -> bytes | None:
    """What a NIfTI header, compressed or not, says that it is: `n+1`, `n+2`, or of a pair `ni1`, `ni2`.

    None if it is no such header. Nothing is inflated but the header.
    """
    try:
        with _inflating(BytesIO(content)) as stream:
            start = stream.read(348)
    except UnreadableVolume:
        return None
    for magic in (start[344:347], start[4:7]):
        if magic in (*_SINGLE, *_PAIR):
            return magic
    return None


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
    with path.open("rb") as file, _inflating(file) as stream:
        yield stream


@contextmanager
def _inflating(file: BinaryIO) -> Iterator[BinaryIO]:
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    try:
        yield cast(BinaryIO, igzip.IGzipFile(fileobj=file)) if is_gzip else file
    except _GZIP_ERRORS as error:
        raise UnreadableVolume("expected a whole gzip file, got one that is truncated or damaged") from error


def _read_volume(
    header: BinaryIO, image: BinaryIO, max_voxels: int, index: int | None, on_warning: OnWarning
) -> Volume:
    """The volume that was asked for; `header` and `image` are one stream, or two of a pair."""
    is_pair = header is not image
    layout = _read_layout(header, max_voxels, is_pair=is_pair)
    number = layout.volume(index)
    _skip(image, layout.offset + number * layout.n_bytes)
    voxels = _read_voxels(image, layout)
    _skip(image, (layout.n_volumes - 1 - number) * layout.n_bytes)
    _check_end(image)
    for warning in layout.warnings:
        on_warning(warning)
    admission.fill_non_finite(voxels, on_warning)
    return Volume(voxels=voxels, affine=layout.affine)


def _voxels_of_pair(others: Sequence[bytes], layout: _Layout) -> bytes:
    """The one file that is as long as a header says."""
    expected = layout.offset + layout.n_volumes * layout.n_bytes
    fitting = [content for content in others if _inflated_size(content, expected + 1) == expected]
    if len(fitting) != 1:
        raise UnreadableVolume(
            f"expected, beside the header of a pair (.hdr), one file of {expected} bytes with its voxels "
            f"(.img), got {len(fitting)}"
        )
    return fitting[0]


def _inflated_size(content: bytes, most: int) -> int:
    """Bytes of a file, inflated if it is gzip; no more than `most` are counted."""
    n_bytes = 0
    try:
        with _inflating(BytesIO(content)) as stream:
            while n_bytes < most and (part := stream.read(min(_CHUNK, most - n_bytes))):
                n_bytes += len(part)
    except UnreadableVolume:
        return -1
    return n_bytes


def _read_layout(stream: BinaryIO, max_voxels: int, *, is_pair: bool = False) -> _Layout:
    """Read a header, and check all that it says."""
    header = _read_header(stream, is_pair=is_pair)
    shape, n_volumes = _shape(header)
    admission.check_size(shape, max_voxels=max_voxels)
    if n_volumes * math.prod(shape) > _MOST_VOLUMES_OF_VOXELS * max_voxels:
        most = _MOST_VOLUMES_OF_VOXELS * max_voxels
        raise TooLarge(f"expected at most {most} voxels in all volumes together, got {n_volumes} of {shape}")
    dtype = _dtype(header)
    slope, inter = _scaling(header)
    affine = _affine(header)
    admission.check_grid(affine)
    offset = float(header["vox_offset"])
    least = 0 if is_pair else header.sizeof_hdr + 4
    if not (least <= offset <= _MAX_OFFSET and offset.is_integer()):
        raise UnreadableVolume(f"expected voxels at a byte from {least} to {_MAX_OFFSET}, got {offset:g}")
    behind = int(offset) - (0 if is_pair else header.sizeof_hdr)
    return _Layout(shape, n_volumes, affine, dtype, slope, inter, behind, _oddities(header, affine, shape))


def _oddities(header: nib.Nifti1Header, affine: Affine, shape: tuple[int, int, int]) -> tuple[str, ...]:
    """What is odd about where a header says that the scan lies."""
    has_sform, has_qform = header["sform_code"] > 0, header["qform_code"] > 0
    if not has_sform and not has_qform:
        return ("the header gives no orientation; left and right may be swapped",)
    if not (has_sform and has_qform):
        return ()
    try:
        with np.errstate(all="ignore"):
            other = np.asarray(header.get_qform(), dtype=np.float64)
    except (HeaderDataError, ValueError, ArithmeticError):
        return ("the header's qform is not valid; its sform was taken",)
    corners = np.array(list(product(*((0, n - 1) for n in shape))), dtype=np.float64)
    apart = geometry.apply_affine(affine, corners) - geometry.apply_affine(other, corners)
    apart_mm = float(np.linalg.norm(apart, axis=1).max())
    if apart_mm <= _SAME_WORLD_MM:
        return ()
    return (
        f"the header's two positions of the scan, sform and qform, are up to {apart_mm:.1f} mm apart; the "
        "sform was taken",
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
    header = make(start + _read_exactly(stream, size - 4), endianness=order, check=False)
    came = bytes(header["magic"].item())[:3]
    if came == (magic.replace(b"+", b"i") if is_pair else magic):
        return header
    if came in _PAIR:
        raise NotAnImage(
            "expected header and voxels in one file, got the header of a pair; send both files (.hdr, .img) "
            "in a zip"
        )
    raise NotAnImage(
        "expected a NIfTI file, got a header of another format, such as Analyze 7.5, which does not say "
        "where left and right are"
    )


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
    """Nothing may follow: a header that says less than there is lies about where each voxel belongs.

    For gzip, this also checks the sum and the length at the end.
    """
    if stream.read(1):
        raise UnreadableVolume("expected as many bytes as the header says, got more")
