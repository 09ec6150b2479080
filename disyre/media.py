"""What kind of file some bytes begin. Names and declared media types are not asked: they are often wrong."""

import zlib
from typing import Final, Literal

from disyre.errors import NotAnImage

MediaFormat = Literal["nifti", "nifti-gz", "dicom", "zip"]

HEAD_BYTES: Final = 4096
"""As much of a file as `sniff` wants to see."""

_NIFTI_HEADER_BYTES: Final = (348, 540)  # NIfTI-1 and NIfTI-2 begin with the size of their header
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZIP_MAGIC: Final = b"PK\x03\x04"
_DICOM_MAGIC: Final = slice(128, 132)  # behind a preamble of any content


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
    if head.startswith(_GZIP_MAGIC) and _is_nifti(_inflate(head)):
        return "nifti-gz"
    if head[_DICOM_MAGIC] == b"DICM":
        return "dicom"
    raise NotAnImage(
        "expected NIfTI, plain or gzipped, DICOM, or a zip of one of these, got a file that begins like none"
    )


def _is_nifti(head: bytes) -> bool:
    return any(int.from_bytes(head[:4], order) in _NIFTI_HEADER_BYTES for order in ("little", "big"))


def _inflate(head: bytes) -> bytes:
    """The first four bytes inside a gzip stream, or fewer if it is broken."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 4)
    except zlib.error:
        return b""
