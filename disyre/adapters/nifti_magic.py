"""Whether a file is NIfTI, as its first bytes say."""

import zlib
from collections.abc import Iterable
from typing import Final, Literal

from disyre.adapters.nifti_header import NOT_NIFTI, PAIR, SINGLE
from disyre.errors import MultipleVolumes, NotAnImage
from disyre.media import HEAD_BYTES

_ANALYZE_BYTES: Final = 348
"""Of a header of Analyze 7.5, as of NIfTI-1."""


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
