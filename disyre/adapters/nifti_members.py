"""The one NIfTI among the files of an archive: a single file, or a pair of header and voxels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Final

from disyre.adapters.nifti_candidates import list_candidates
from disyre.adapters.nifti_header import MAX_OFFSET, SINGLE, read_layout
from disyre.adapters.nifti_magic import nifti_magic
from disyre.adapters.nifti_stream import inflating, length
from disyre.errors import MultipleVolumes, NotAnImage, UnreadableVolume
from disyre.media import HEAD_BYTES
from disyre.types import Opener

_DAMAGED: Final = -1
"""The size of a file that cannot be inflated."""
_MOST_BESIDE: Final = 20
"""So many files beside the header of a pair are looked at; each may have to be inflated."""


@contextmanager
def one_nifti(members: Sequence[Opener], max_voxels: int) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Header and voxels of the one NIfTI among some files: one stream, or two of a pair.

    Raises NotAnImage if there is none, MultipleVolumes with what they are if there are several.
    """
    found = [(member, magic) for member in members if (magic := nifti_magic(_head(member))) is not None]
    if not found:
        raise NotAnImage("expected an archive with one NIfTI image in it, got 0")
    if len(found) > 1:
        raise MultipleVolumes(
            f"expected an archive with one NIfTI image in it, got {len(found)}; send each by itself",
            list_candidates(found, max_voxels),
        )
    ((header, magic),) = found
    if magic in SINGLE:
        with header() as file, inflating(file) as stream:
            yield stream, stream
            return
    image = _image_of_pair(header, [member for member in members if member is not header], max_voxels)
    with header() as file, inflating(file) as stream, image() as other, inflating(other) as voxels:
        yield stream, voxels


def _head(member: Opener) -> bytes:
    with member() as file:
        return file.read(HEAD_BYTES)


def _image_of_pair(header: Opener, others: Sequence[Opener], max_voxels: int) -> Opener:
    """The one file that is as long as a header says."""
    with header() as file, inflating(file) as stream:
        layout = read_layout(stream, max_voxels, is_pair=True)
        if length(stream, MAX_OFFSET + 1) > MAX_OFFSET:  # what follows are extensions
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
        with member() as file, inflating(file) as stream:
            return length(stream, most)
    except UnreadableVolume:
        return _DAMAGED
