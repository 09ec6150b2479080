"""NIfTI bytes <-> Volume (isal for gzip, nibabel for the header that is written).

Files are read as a stream and never beyond what their header announces, so a small file cannot fill the
memory. Whether a file is compressed is seen from its first bytes, not from its name.

What is written has both positions, with the code "aligned to another image": the sform is the affine to
float32 precision; the qform is left out where it cannot say the same, because the axes are not at right
angles.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias, cast

import nibabel as nib
import numpy as np
import numpy.typing as npt
from isal import igzip
from isal.igzip_lib import IsalError

from disyre import admission, geometry
from disyre.adapters.nifti_header import (
    MAX_OFFSET,
    NOT_NIFTI,
    PAIR,
    SINGLE,
    Form,
    NiftiLayout,
    read_exactly,
    read_layout,
)
from disyre.admission import MAX_VOXELS, OnWarning
from disyre.errors import MultipleVolumes, NotAnImage, UnreadableVolume
from disyre.media import HEAD_BYTES
from disyre.types import Affine, Opener, Voxels
from disyre.volume import Volume

_GZIP_ERRORS: Final = (EOFError, igzip.BadGzipFile, cast(type[Exception], IsalError))
_CHUNK: Final = 2**20
_DAMAGED: Final = -1
"""The size of a file that cannot be inflated."""
_MOST_BESIDE: Final = 20
"""So many files beside the header of a pair are looked at; each may have to be inflated."""
_ANALYZE_BYTES: Final = 348
"""Of a header of Analyze 7.5, as of NIfTI-1."""
_ALIGNED: Final = 2
"""NIFTI_XFORM_ALIGNED_ANAT: the result lies where the scan lies, whatever world that was."""
_QFORM_TOLERANCE_MM: Final = 0.01

OnForm: TypeAlias = Callable[[Form], None]
"""Is told which part of the header said where the scan lies."""


def _ignore(form: Form) -> None:
    """Be told, and do nothing."""


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


def inspect_nifti(path: Path, *, max_voxels: int = MAX_VOXELS, volume_index: int | None = None) -> NiftiFacts:
    """Check that a NIfTI file is whole and has the volume, without keeping its voxels in memory.

    Raises NotAnImage, UnreadableVolume, UnusableVolume (or a subclass), TooLarge, or InvalidParams if there
    is no volume of this index.
    """
    with _opened(path) as stream:
        return _facts(stream, stream, max_voxels, volume_index)


def inspect_nifti_members(
    members: Sequence[Opener], *, max_voxels: int = MAX_VOXELS, volume_index: int | None = None
) -> NiftiFacts:
    """Check the one NIfTI among the files of an archive, without keeping its voxels in memory.

    Raises what `inspect_nifti` and `read_nifti_members` raise.
    """
    with _of_members(members, max_voxels) as (header, image):
        return _facts(header, image, max_voxels, volume_index)


def read_nifti(
    path: Path,
    *,
    max_voxels: int = MAX_VOXELS,
    volume_index: int | None = None,
    on_warning: OnWarning = admission.ignore,
    on_form: OnForm = _ignore,
) -> Volume:
    """Read a single-file NIfTI-1 or NIfTI-2, compressed or not, as float32 with its scaling applied.

    `volume_index` picks one of several volumes. `on_warning` is told of voxels that had to be set to 0 and of
    what is odd about the header, `on_form` of what says where the scan lies.
    Raises what `inspect_nifti` raises, and NonFiniteVoxels.
    """
    with _opened(path) as stream:
        return _read_volume(stream, stream, max_voxels, volume_index, on_warning, on_form)


def read_nifti_members(
    members: Sequence[Opener],
    *,
    max_voxels: int = MAX_VOXELS,
    volume_index: int | None = None,
    on_warning: OnWarning = admission.ignore,
    on_form: OnForm = _ignore,
) -> Volume:
    """Read the one NIfTI among the files of an archive: a single file, or a pair of header and voxels.

    Each may be compressed. Of a pair, the voxels are in the one other file that is as long as the header
    says.
    Raises MultipleVolumes if there are several, NotAnImage if there is none, and what `read_nifti` raises.
    """
    with _of_members(members, max_voxels) as (header, image):
        return _read_volume(header, image, max_voxels, volume_index, on_warning, on_form)


def holds_nifti(heads: Iterable[bytes]) -> bool:
    """Whether the files that begin so (with `HEAD_BYTES` bytes each) are to be read as NIfTI.

    Raises MultipleVolumes if there is DICOM among them too, NotAnImage if there is Analyze 7.5 and neither.
    """
    kinds: set[bytes | str | None] = set()
    has_analyze = False
    for head in heads:
        kind = "dicom" if head[128:132] == b"DICM" else nifti_magic(head)
        has_analyze |= kind is None and _is_analyze(head)
        kinds.add(kind)
    kinds.discard(None)
    if has_analyze and not kinds:
        raise NotAnImage(NOT_NIFTI)
    if "dicom" in kinds and len(kinds) > 1:
        raise MultipleVolumes(
            "expected DICOM or NIfTI in the archive, got both; send one of them, and a brain mask as the "
            "part 'mask'"
        )
    return bool(kinds - {"dicom"})


def nifti_magic(head: bytes) -> bytes | None:
    """What the beginning of a file, compressed or not, says: `n+1`, `n+2`, or of a pair `ni1`, `ni2`.

    None if it is no NIfTI header.
    """
    head = _inflated_head(head)
    for magic in (head[344:347], head[4:7]):
        if magic in (*SINGLE, *PAIR):
            return magic
    return None


def _is_analyze(head: bytes) -> bool:
    """Whether a file that is no NIfTI begins with as long a header as Analyze 7.5 has."""
    head = _inflated_head(head)
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    says_so = any(int.from_bytes(head[:4], order) == _ANALYZE_BYTES for order in orders)
    return len(head) >= _ANALYZE_BYTES and says_so


def _inflated_head(head: bytes) -> bytes:
    """The beginning of a file, without its compression if there is one; nothing if that is broken."""
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head[:HEAD_BYTES], _ANALYZE_BYTES)
    except zlib.error:
        return b""


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


@contextmanager
def _of_members(members: Sequence[Opener], max_voxels: int) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Header and voxels of the one NIfTI among some files: one stream, or two of a pair."""
    found = [(member, magic) for member in members if (magic := nifti_magic(_head(member))) is not None]
    if len(found) != 1:
        raise (MultipleVolumes if found else NotAnImage)(
            f"expected an archive with one NIfTI image in it, got {len(found)}; send each by itself"
        )
    ((header, magic),) = found
    if magic in SINGLE:
        with header() as file, _inflating(file) as stream:
            yield stream, stream
            return
    image = _image_of_pair(header, [member for member in members if member is not header], max_voxels)
    with header() as file, _inflating(file) as stream, image() as other, _inflating(other) as voxels:
        yield stream, voxels


def _head(member: Opener) -> bytes:
    with member() as file:
        return file.read(HEAD_BYTES)


def _image_of_pair(header: Opener, others: Sequence[Opener], max_voxels: int) -> Opener:
    """The one file that is as long as a header says."""
    with header() as file, _inflating(file) as stream:
        layout = read_layout(stream, max_voxels, is_pair=True)
        if _length(stream, MAX_OFFSET + 1) > MAX_OFFSET:  # what follows are extensions
            raise UnreadableVolume(f"expected a header of at most {MAX_OFFSET} bytes, got more")
    if len(others) > _MOST_BESIDE:
        raise UnreadableVolume(
            f"expected a pair (.hdr, .img) with at most {_MOST_BESIDE - 1} other files, got {len(others) - 1}"
        )
    expected = layout.offset + layout.n_volumes * layout.n_bytes
    sizes = [_inflated_size(member, expected + 1) for member in others]
    if sizes.count(expected) != 1:
        raise UnreadableVolume(
            f"expected, beside the header of a pair (.hdr), one file of {expected} bytes with its voxels "
            f"(.img), got {_describe_sizes(sizes, expected)}"
        )
    return others[sizes.index(expected)]


def _describe_sizes(sizes: Sequence[int], expected: int) -> str:
    """What lies beside the header of a pair, of which not exactly one file has the size that is expected."""
    if not sizes:
        return "none; send both files of the pair in the zip"
    if n_fitting := sizes.count(expected):
        return f"{n_fitting} of this size; send one pair in the zip"
    came = {_DAMAGED: "damaged gzip", expected + 1: "more bytes"}.get(max(sizes), f"{max(sizes)} bytes")
    return f"one of {came}" if len(sizes) == 1 else f"{len(sizes)} other files, the largest of {came}"


def _inflated_size(member: Opener, most: int) -> int:
    """Bytes of a file, inflated if it is gzip; no more than `most` are counted. `_DAMAGED` if it is."""
    try:
        with member() as file, _inflating(file) as stream:
            return _length(stream, most)
    except UnreadableVolume:
        return _DAMAGED


def _length(stream: BinaryIO, most: int) -> int:
    """Bytes that are left in a stream; no more than `most` are counted."""
    n_bytes = 0
    while n_bytes < most and (part := stream.read(min(_CHUNK, most - n_bytes))):
        n_bytes += len(part)
    return n_bytes


def _facts(header: BinaryIO, image: BinaryIO, max_voxels: int, index: int | None) -> NiftiFacts:
    """What was read of a whole file; `header` and `image` are one stream, or two of a pair."""
    layout = read_layout(header, max_voxels, is_pair=header is not image)
    layout.volume(index)
    _skip(image, layout.offset + layout.n_volumes * layout.n_bytes)
    _check_end(image)
    spacing_mm, orientation = geometry.spacing_mm(layout.affine), geometry.orientation(layout.affine)
    return NiftiFacts(layout.shape, spacing_mm, orientation, layout.affine, layout.n_volumes, layout.warnings)


def _read_volume(
    header: BinaryIO,
    image: BinaryIO,
    max_voxels: int,
    index: int | None,
    on_warning: OnWarning,
    on_form: OnForm,
) -> Volume:
    """The volume that was asked for; `header` and `image` are one stream, or two of a pair."""
    layout = read_layout(header, max_voxels, is_pair=header is not image)
    number = layout.volume(index)
    _skip(image, layout.offset + number * layout.n_bytes)
    voxels = _read_voxels(image, layout)
    _skip(image, (layout.n_volumes - 1 - number) * layout.n_bytes)
    _check_end(image)
    for warning in layout.warnings:
        on_warning(warning)
    on_form(layout.form)
    admission.fill_non_finite(voxels, on_warning)
    return Volume(voxels=voxels, affine=layout.affine)


def _read_voxels(stream: BinaryIO, layout: NiftiLayout) -> Voxels:
    """Slice by slice, so that the file's own type is never in memory as a whole."""
    i, j, n_slices = layout.shape
    voxels = np.empty(layout.shape, dtype=np.float32, order="F")
    is_scaled = (layout.slope, layout.inter) != (1.0, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and counted later
        for k in range(n_slices):
            raw = np.frombuffer(read_exactly(stream, i * j * layout.dtype.itemsize), dtype=layout.dtype)
            values = raw.astype(np.float64) * layout.slope + layout.inter if is_scaled else raw
            voxels[:, :, k] = values.reshape((i, j), order="F")
    return voxels


def _skip(stream: BinaryIO, n_bytes: int) -> None:
    while n_bytes > 0:
        n_bytes -= len(read_exactly(stream, min(n_bytes, _CHUNK)))


def _check_end(stream: BinaryIO) -> None:
    """Nothing may follow: a header that says less than there is lies about where each voxel belongs.

    For gzip, this also checks the sum and the length at the end.
    """
    if stream.read(1):
        raise UnreadableVolume("expected as many bytes as the header says, got more")
