"""What kind of file some bytes begin. Names and declared media types are not asked: they are often wrong."""

import zlib
from typing import Final, Literal

from disyre.errors import NotAnImage
from disyre.file_kinds import named

MediaFormat = Literal["nifti", "nifti-gz", "dicom", "zip", "other"]
"""`other` is what `sniff` refuses, and a zip without images: files that lie beside a series of DICOM."""

HEAD_BYTES: Final = 4096
"""As much of a file as `sniff` wants to see."""

_NIFTI_HEADER_BYTES: Final = (348, 540)  # NIfTI-1 and NIfTI-2 begin with the size of their header
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZIP_MAGIC: Final = b"PK\x03\x04"
_TAR_MAGIC: Final = slice(257, 262)
_TAR_BYTES: Final = 512
_DICOM_MAGIC: Final = slice(128, 132)  # behind a preamble of any content
_FIRST_GROUPS: Final = (0x0002, 0x0004, 0x0008)
_OTHER_GZIP: Final = "gzip with something else than NIfTI in it; send DICOM without gzip, or as a zip"
_OTHER: Final = "a file that begins like none of them (of a pair .hdr and .img, send both in one zip)"
BARE_DICOM: Final = (
    "what looks like DICOM without the header of a file (no DICM at byte 128), as old ACR-NEMA files and "
    "some network dumps are; export it again as DICOM files (Part 10)"
)
"""What to say of such a file."""


def sniff(head: bytes) -> MediaFormat:
    """The format of a file whose first `HEAD_BYTES` bytes are these.

    Raises NotAnImage if it is none that is read here.

    >>> sniff((348).to_bytes(4, "little"))
    'nifti'
    """
    if head.startswith(_ZIP_MAGIC):
        return "zip"
    if _is_nifti(head):
        return "nifti"
    if is_gzip(head) and _is_nifti(_inflate(head, 4)):
        return "nifti-gz"
    if head[_DICOM_MAGIC] == b"DICM":
        return "dicom"
    raise NotAnImage(f"expected NIfTI, plain or gzipped, DICOM, or a zip of one of these, got {_named(head)}")


def _named(head: bytes) -> str:
    """What a file is that is not read, if its beginning says so, and what to do."""
    if is_bare_dicom(head):
        return BARE_DICOM
    if is_gzip(head) and _is_tar(_inflate(head, _TAR_BYTES)):
        return "a tar.gz archive; send its files as a zip"
    if is_gzip(head):
        inside = named(_inflate(head, _TAR_BYTES))
        return f"gzip with {inside}" if inside else _OTHER_GZIP
    if _is_tar(head):
        return "a tar archive; send its files as a zip"
    return named(head) or _OTHER


def is_gzip(head: bytes) -> bool:
    """Whether a file begins like one that gzip made."""
    return head.startswith(_GZIP_MAGIC)


def _is_tar(head: bytes) -> bool:
    return head[_TAR_MAGIC] == b"ustar"


def is_bare_dicom(head: bytes) -> bool:
    """Whether a file begins like the data set of a DICOM file, without preamble and magic.

    >>> is_bare_dicom(b"\\x08\\0\\5\\0CS\\x0a\\0ISO_IR 100" + b"\\x08\\0\\x08\\0CS\\2\\0M ")
    True
    """
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    return head[_DICOM_MAGIC] != b"DICM" and any(_begins_a_data_set(head, order) for order in orders)


def _begins_a_data_set(head: bytes, order: Literal["little", "big"]) -> bool:
    """Two elements in a row, of which the first is of a group that comes first."""
    tag, end = _element(head, 0, order)
    next_tag, next_end = _element(head, end, order)
    return tag >> 16 in _FIRST_GROUPS and end > 0 and next_end > 0 and tag < next_tag


def _element(head: bytes, start: int, order: Literal["little", "big"]) -> tuple[int, int]:
    """The tag of the data element that begins at a byte, and where it ends; 0 if none can."""
    group, number = (int.from_bytes(head[start + n : start + n + 2], order) for n in (0, 2))
    vr = head[start + 4 : start + 6]
    size = head[start + 6 : start + 8] if vr.isalpha() and vr.isupper() else head[start + 4 : start + 8]
    end = start + 8 + int.from_bytes(size, order)
    return group << 16 | number, end if end <= len(head) else 0


def _is_nifti(head: bytes) -> bool:
    return any(int.from_bytes(head[:4], order) in _NIFTI_HEADER_BYTES for order in ("little", "big"))


def _inflate(head: bytes, n_bytes: int) -> bytes:
    """The first bytes inside a gzip stream, or fewer if it is broken."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, n_bytes)
    except zlib.error:
        return b""
