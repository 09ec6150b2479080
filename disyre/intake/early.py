"""What the beginning of an upload says, while the rest is still to come."""

from io import BytesIO
from typing import Final

from disyre.adapters.nifti_header import read_layout
from disyre.adapters.nifti_stream import inflating
from disyre.errors import InvalidInput, NotThreeDimensional, TooLarge
from disyre.media import HEAD_BYTES, sniff

LOOKED_AT_BYTES: Final = HEAD_BYTES
"""As much as tells what kind of file it is; more than a header of NIfTI, also where it is compressed."""


def refuse_by_beginning(head: bytes, *, max_voxels: int, has_to_be_one: bool = False) -> None:
    """Raise NotAnImage if a file begins like no image, and what `refuse_nifti` raises."""
    sniff(head)
    refuse_nifti(head, max_voxels=max_voxels, has_to_be_one=has_to_be_one)


def refuse_nifti(head: bytes, *, max_voxels: int, has_to_be_one: bool = False) -> None:
    """Raise TooLarge if a file that begins so is NIfTI with more voxels than that.

    If it `has_to_be_one` volume, as nothing picks one, raise NotThreeDimensional if it is none, or several.
    Whatever else is wrong is told once the file is there.
    """
    try:
        with inflating(BytesIO(head)) as stream:
            layout = read_layout(stream, max_voxels)
        if has_to_be_one:
            layout.volume(None)
    except TooLarge:
        raise
    except InvalidInput as error:
        if has_to_be_one and isinstance(error, NotThreeDimensional):
            raise
