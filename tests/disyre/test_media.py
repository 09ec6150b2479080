"""Telling formats from first bytes."""

import gzip
from typing import Literal

import pytest

from disyre.errors import NotAnImage
from disyre.media import is_bare_dicom, sniff

NIFTI_1 = (348).to_bytes(4, "little") + bytes(348)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (NIFTI_1, "nifti"),
        ((348).to_bytes(4, "big") + bytes(348), "nifti"),
        ((540).to_bytes(4, "little") + bytes(540), "nifti"),
        (gzip.compress(NIFTI_1, mtime=0), "nifti-gz"),
        (gzip.compress(NIFTI_1, mtime=0)[:20], "nifti-gz"),
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
        gzip.compress(b"text", mtime=0),
        gzip.compress(NIFTI_1, mtime=0)[:10] + b"\xff" * 20,
        b"PK\x05\x06" + bytes(18),
        bytes(128) + b"DIC",
    ],
)
def test_what_begins_like_nothing_known_is_not_an_image(head: bytes) -> None:
    with pytest.raises(NotAnImage, match="expected NIfTI"):
        sniff(head)


MGH = b"".join(n.to_bytes(4, "big") for n in (1, 256, 256, 256, 1, 0))
TAR = b"a" * 257 + b"ustar" + bytes(250)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"PK\x05\x06" + bytes(18), "got a zip archive that is empty"),
        (TAR, "a tar archive; send its files as a zip"),
        (gzip.compress(TAR, mtime=0), "a tar.gz archive; send its files as a zip"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(400), "a 7z archive; send its files as a zip"),
        (b"Rar!\x1a\x07\0" + bytes(400), "a rar archive; send its files as a zip"),
        (b"\xfd7zXZ\0" + bytes(400), "compressed with xz"),
        (b"BZh91AY" + bytes(400), "compressed with bzip2"),
        (gzip.compress(bytes(128) + b"DICM", mtime=0), "gzip with something else .* send DICOM without gzip"),
        (b"\x28\xb5\x2f\xfd" + bytes(400), "compressed with Zstandard"),
        (b"\xff\xd8\xff\xe0" + bytes(400), r"a picture \(JPEG\).* send the DICOM or NIfTI"),
        (b"\x89PNG\r\n\x1a\n" + bytes(400), r"a picture \(PNG\)"),
        (b"%PDF-1.7" + bytes(400), "a PDF document"),
        (b"\n <!DOCTYPE html><html>", "a web page, such as the login page"),
        (b"NRRD0005\ntype: short", "an NRRD file; convert it to NIfTI"),
        (b"ObjectType = Image\nNDims = 3", "a MetaImage file; convert it to NIfTI"),
        (b"\x89HDF\r\n" + bytes(400), "an HDF5 file, such as MINC; convert it to NIfTI"),
        (MGH, "an MGH file of FreeSurfer; convert it to NIfTI"),
        (gzip.compress(MGH, mtime=0), "gzip with what looks like an MGH file of FreeSurfer; convert"),
        (b"# === DATA DESCRIPTION FILE ===", "Philips PAR/REC pair; convert it to NIfTI"),
        (b"text", "got a text file"),
        (b"\x07\xff\x80" * 99, r"begins like none of them .*of a pair .hdr and .img, send both in one zip"),
    ],
)
def test_files_that_are_not_read_are_named_with_what_to_do(head: bytes, words: str) -> None:
    with pytest.raises(NotAnImage, match=words):
        sniff(head)


_FIRST, _SECOND = (0x0008, 0x0000), (0x0008, 0x0005)


def bare(*tags: tuple[int, int], order: Literal["little", "big"] = "little", vr: bytes = b"") -> bytes:
    """Elements of four bytes each, as a data set begins without a file around it."""
    size = (4).to_bytes(2 if vr else 4, order)
    return b"".join(
        group.to_bytes(2, order) + number.to_bytes(2, order) + vr + size + bytes(4) for group, number in tags
    )


@pytest.mark.parametrize(
    "head",
    [
        bare(_FIRST, _SECOND),
        bare(_FIRST, _SECOND, vr=b"UL"),
        bare(_FIRST, _SECOND, order="big"),
        bare((0x0002, 0x0000), (0x0002, 0x0001), vr=b"UL"),
        bare(_FIRST, _SECOND) + bytes(200),
    ],
)
def test_a_data_set_without_a_file_around_it_is_known_and_refused_with_advice(head: bytes) -> None:
    assert is_bare_dicom(head)
    with pytest.raises(NotAnImage, match=r"ACR-NEMA.*export it again as DICOM files \(Part 10\)"):
        sniff(head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"just some text, and a bit more of it",
        bytes(1000),
        bare(_SECOND, _FIRST),
        bare(_FIRST),
        bare((0x0010, 0x0010), (0x0010, 0x0020)),
        bare(_FIRST, _SECOND)[:-1],
        bare(_FIRST, _SECOND).ljust(128, b"\0") + b"DICM",
    ],
)
def test_other_bytes_are_not_taken_for_a_data_set(head: bytes) -> None:
    assert not is_bare_dicom(head)
