"""What the beginning of an upload says of the rest."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from disyre.errors import NotThreeDimensional, TooLarge
from disyre.intake.early import LOOKED_AT_BYTES, refuse_nifti


def begin(shape: tuple[int, ...]) -> bytes:
    """How a NIfTI of this shape begins."""
    image = nib.Nifti1Image(np.zeros((1, 1, 1), np.int16), np.eye(4))
    image.header.set_data_shape(shape)
    image.header["scl_slope"], image.header["scl_inter"], image.header["vox_offset"] = 1, 0, 352
    return bytes(image.header.binaryblock + bytes(LOOKED_AT_BYTES))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_scan_above_the_limit_is_known_by_its_header(pack: type[bytes]) -> None:
    with pytest.raises(TooLarge, match="expected at most 1000000 voxels, got 8000000"):
        refuse_nifti(pack(begin((200, 200, 200)))[:LOOKED_AT_BYTES], max_voxels=1_000_000)

    refuse_nifti(pack(begin((200, 200, 200)))[:LOOKED_AT_BYTES], max_voxels=8_000_000)


@pytest.mark.parametrize("head", [b"", b"PK\3\4", b"\x1f\x8b" + bytes(100), begin((200, 200))])
def test_what_else_is_wrong_is_told_later(head: bytes) -> None:
    refuse_nifti(head, max_voxels=10)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("shape", [(9, 9, 9, 3), (9, 9)])
def test_what_has_to_be_one_volume_and_is_not_is_known_by_its_header(
    pack: type[bytes], shape: tuple[int, ...]
) -> None:
    head = pack(begin(shape))[:LOOKED_AT_BYTES]

    with pytest.raises(NotThreeDimensional):
        refuse_nifti(head, max_voxels=10_000, has_to_be_one=True)

    refuse_nifti(head, max_voxels=10_000)
