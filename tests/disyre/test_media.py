"""Telling formats from first bytes."""

import gzip

import pytest

from disyre.errors import NotAnImage
from disyre.media import sniff

NIFTI_1 = (348).to_bytes(4, "little") + bytes(348)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (NIFTI_1, "nifti"),
        ((348).to_bytes(4, "big") + bytes(348), "nifti"),
        ((540).to_bytes(4, "little") + bytes(540), "nifti"),
        (gzip.compress(NIFTI_1), "nifti-gz"),
        (gzip.compress(NIFTI_1)[:20], "nifti-gz"),
        (bytes(128) + b"DICM", "dicom"),
        (b"II*\x00" + bytes(124) + b"DICM", "dicom"),
        (b"PK\x03\x04" + bytes(26), "zip"),
    ],
)
def test_a_format_is_told_from_its_first_bytes(head: bytes, found: str) -> None:
    assert sniff(head) == found


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"text",
        b"\x1f\x8b",
        gzip.compress(b"text"),
        gzip.compress(NIFTI_1)[:10] + b"\xff" * 20,
        b"PK\x05\x06" + bytes(18),
        bytes(128) + b"DIC",
    ],
)
def test_what_begins_like_nothing_known_is_not_an_image(head: bytes) -> None:
    with pytest.raises(NotAnImage, match="expected NIfTI"):
        sniff(head)
