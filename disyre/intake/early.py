"""What the beginning of an upload says, while the rest is still to come."""

from io import BytesIO
from typing import Final

from disyre.adapters.nifti_header import read_layout
from disyre.adapters.nifti_stream import inflating
from disyre.errors import InvalidInput, TooLarge
from disyre.media import HEAD_BYTES, sniff

LOOKED_AT_BYTES: Final = HEAD_BYTES
"""As much as tells what kind of file it is; more than a header of NIfTI, also where it is compressed."""


def refuse_by_beginning(head: bytes, *, max_voxels: int) -> None:
    """Raise NotAnImage or TooLarge if a file begins like no image, or like NIfTI with more voxels."""
    sniff(head)
    refuse_too_large(head, max_voxels=max_voxels)


def refuse_too_large(head: bytes, *, max_voxels: int) -> None:
    """Raise TooLarge if a file that begins so is NIfTI with more voxels than that.

    Whatever else is wrong is told once the file is there.
    """
    try:
        with inflating(BytesIO(head)) as stream:
            read_layout(stream, max_voxels)
    except TooLarge:
        raise
    except InvalidInput:
        return
