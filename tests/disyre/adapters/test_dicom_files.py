"""DICOM files, sorted out: what is no image, no MR, or not to be inflated."""

import gzip
import struct
from collections.abc import Callable
from typing import Any

import pytest
from pydicom import uid
from pydicom.dataset import FileDataset

from disyre.adapters.dicom_files import in_batches
from disyre.adapters.dicom_inspection import survey_dicom
from disyre.adapters.dicom_opening import LookedFile, Opening
from disyre.adapters.dicom_read import read_dicom
from disyre.errors import (
    NotAnImage,
    NotBrainMr,
    TooLarge,
    UnreadableVolume,
    UnsupportedTransferSyntax,
)
from disyre.slice_names import NamedFile
from tests.dicom_phantom import assert_is_phantom, encoded, make_series


@pytest.mark.parametrize(
    "contents",
    [[b""], [b"just some text\n" * 100], [bytes(200)], [b"\x1f\x8b" + bytes(400)], []],
    ids=["empty", "text", "zeros", "gzip", "nothing"],
)
def test_what_is_not_dicom_is_refused(contents: list[bytes]) -> None:
    with pytest.raises(NotAnImage, match="expected DICOM, NIfTI"):
        read_dicom(contents)


def test_a_single_file_that_is_not_dicom_is_counted_as_one() -> None:
    with pytest.raises(NotAnImage, match=r"\(.hdr and .img\) in a zip, got 1 file of another kind$"):
        read_dicom([b"text"])


def test_other_files_beside_the_images_are_left_out_with_a_warning() -> None:
    others = [b"readme", b"\1" * 1000, *encoded(make_series(1, SOPClassUID=uid.EncapsulatedPDFStorage))]
    warnings: list[str] = []

    volume = read_dicom([*others, *encoded(make_series())], on_warning=warnings.append)

    assert_is_phantom(volume)
    assert warnings == [
        "2 files left out, as not DICOM",
        "1 DICOM file left out, as not MR",
    ]


@pytest.mark.parametrize(
    ("sop_class", "name"),
    [
        (uid.CTImageStorage, "CT Image Storage"),
        (uid.EncapsulatedPDFStorage, "Encapsulated PDF Storage"),
        (uid.SecondaryCaptureImageStorage, "Secondary Capture Image Storage"),
        (uid.UID("1.2.3.4"), "an unknown kind"),
    ],
    ids=str,
)
def test_what_is_not_mr_is_refused_by_name(sop_class: uid.UID, name: str) -> None:
    with pytest.raises(NotBrainMr, match=f"expected MR images, got {name}"):
        read_dicom(encoded(make_series(SOPClassUID=sop_class)))


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        (uid.MPEG4HP41, "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
        (uid.MPEG2MPML, "MPEG2 Main Profile / Main Level"),
        (uid.UID("1.2.3.4"), "an unknown kind"),
    ],
    ids=str,
)
def test_other_transfer_syntaxes_are_refused_before_the_data_set_is_read(syntax: uid.UID, name: str) -> None:
    (content,) = encoded(make_series(1))
    end_of_meta = 144 + struct.unpack("<I", content[140:144])[0]
    before = uid.ExplicitVRLittleEndian.encode() + bytes(1)
    element = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(before)) + before
    after = syntax.encode() + bytes(len(syntax) % 2)
    meta = content[:end_of_meta].replace(
        element, b"\x02\x00\x10\x00UI" + struct.pack("<H", len(after)) + after
    )

    with pytest.raises(UnsupportedTransferSyntax, match=name):
        read_dicom([meta + b"\xff" * 1000])


def named(files: list[bytes], pattern: str = "S/IM{:04}") -> list[NamedFile]:
    return [NamedFile(pattern.format(number), content) for number, content in enumerate(files)]


def test_files_in_gzip_are_refused_or_left_out_by_name() -> None:
    files = encoded(make_series(9))
    packed = [gzip.compress(content) for content in files]
    warnings: list[str] = []

    with pytest.raises(NotAnImage, match=r"got 9 files compressed with gzip, .* send DICOM without it"):
        read_dicom(named(packed, "{}.dcm.gz"))
    read_dicom(named([*files[:8], packed[8]]), on_warning=warnings.append)

    assert warnings[0].startswith("1 file left out, as compressed with gzip")
    assert warnings[1].startswith("1 file of those that were left out may have been slices")


def test_a_file_that_may_have_been_a_slice_is_told_once_of_a_study() -> None:
    files = [
        *encoded(make_series(9, SeriesInstanceUID="1.2.1")),
        *encoded(make_series(9, SeriesInstanceUID="1.2.2")),
    ]
    warnings: list[str] = []

    survey_dicom(named([*files, b""]), warnings.append)

    assert [warning.startswith("1 file of those that were left out may") for warning in warnings] == [
        False,
        True,
    ]


EMPTIED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda content: b"", "3 files left out, as empty (0 bytes)"),
    "zeros": (lambda content: bytes(len(content)), "3 files left out, as not DICOM"),
    "cut in the preamble": (lambda content: content[:100], "3 files left out, as not DICOM"),
}


@pytest.mark.parametrize(("emptied", "warning"), EMPTIED.values(), ids=EMPTIED)
@pytest.mark.parametrize("name", ["S/IM{:04}", "{:03}.dcm", ""], ids=["number", "extension", "no name"])
def test_the_end_of_a_stack_that_a_transfer_left_empty_is_warned_of(
    emptied: Callable[[bytes], bytes], warning: str, name: str
) -> None:
    files = encoded(make_series(9))
    upload = named([*files[:6], *(emptied(content) for content in files[6:])], name)
    warnings: list[str] = []

    volume = read_dicom(upload, on_warning=warnings.append)

    assert volume.shape[2] == 6
    assert warnings[0] == warning
    assert warnings[1].startswith("3 files of those that were left out may have been slices")
    assert "slices at the ends of a series may be missing" in warnings[1]


@pytest.mark.parametrize("content", [b"", b"a note", bytes(1000)], ids=["empty", "text", "zeros"])
@pytest.mark.parametrize("name", ["S/readme", "S/report.pdf", "__MACOSX/S/._IM0001", "S/.DS_Store", "LOCK"])
def test_what_is_named_otherwise_is_no_lost_slice(content: bytes, name: str) -> None:
    warnings: list[str] = []

    read_dicom([*named(encoded(make_series())), NamedFile(name, content)], on_warning=warnings.append)

    assert len(warnings) == 1
    assert warnings[0] in ("1 file left out, as empty (0 bytes)", "1 file left out, as not DICOM")


DIRECTORY: dict[str, Any] = {"SOPClassUID": uid.MediaStorageDirectoryStorage}


def test_a_dicomdir_beside_the_images_is_left_out_with_a_warning() -> None:
    warnings: list[str] = []

    volume = read_dicom(encoded([*make_series(1, **DIRECTORY), *make_series()]), on_warning=warnings.append)

    assert_is_phantom(volume)
    assert warnings == ["1 DICOMDIR left out: it lists files, and is no image"]


def test_a_dicomdir_alone_is_refused_with_advice() -> None:
    with pytest.raises(
        NotAnImage, match="got a DICOMDIR, which only lists the files of a disc; send the folders"
    ):
        read_dicom(encoded(make_series(1, **DIRECTORY)))


def test_a_dicomdir_is_no_reason_for_a_refusal() -> None:
    with pytest.raises(NotBrainMr, match=r"got CT Image Storage$"):
        read_dicom(encoded(make_series(1, **DIRECTORY) + make_series(SOPClassUID=uid.CTImageStorage)))


def without_preamble(content: bytes) -> bytes:
    """The data set of a file, as old programs wrote it."""
    return content[144 + struct.unpack("<I", content[140:144])[0] :]


def test_data_sets_without_a_file_around_them_are_refused_with_advice() -> None:
    bare = [without_preamble(content) for content in encoded(make_series())]

    with pytest.raises(NotAnImage, match=r"export it again as DICOM files \(Part 10\)"):
        read_dicom(bare)


def test_data_sets_without_a_file_around_them_are_left_out_with_advice() -> None:
    warnings: list[str] = []
    (bare,) = (without_preamble(content) for content in encoded(make_series(1)))

    read_dicom([bare, b"text", *encoded(make_series())], on_warning=warnings.append)

    assert warnings[0] == "1 file left out, as not DICOM"
    assert warnings[1].startswith("1 file left out: what looks like DICOM without the header of a file")


def test_a_file_that_does_not_say_what_it_is_is_refused_with_advice() -> None:
    files = [content[:132] + without_preamble(content) for content in encoded(make_series())]

    with pytest.raises(
        UnreadableVolume, match=r"group 0002.* is missing or damaged; export the series again"
    ):
        read_dicom(files)


def deflated(image: FileDataset, n_more: int) -> bytes:
    """A deflated image with zeros behind its pixels."""
    image.add_new(0xFFFCFFFC, "OB", bytes(n_more))  # what the standard has for padding
    (content,) = encoded([image], uid.DeflatedExplicitVRLittleEndian)
    return content


def test_a_deflated_image_may_be_mostly_air() -> None:
    assert_is_phantom(read_dicom([deflated(image, 2**20) for image in make_series()]))


def test_a_deflate_bomb_is_refused() -> None:
    with pytest.raises(TooLarge, match="deflated files"):
        read_dicom([deflated(image, 2**24) for image in make_series()])


@pytest.mark.parametrize(
    ("n_files", "n_bytes", "sizes"),
    [(0, 1, []), (16, 1, [16]), (38, 1, [16, 16, 6]), (5, 5 * 2**20, [2, 2, 1]), (2, 8 * 2**20, [1, 1])],
)
def test_no_more_files_are_in_memory_together_than_threads_are_worth(
    n_files: int, n_bytes: int, sizes: list[int]
) -> None:
    batches = in_batches(LookedFile("", bytes(n_bytes)) for _ in range(n_files))

    assert [len(batch) for batch in batches] == sizes


def test_deflated_images_may_not_be_too_large_together() -> None:
    files = [NamedFile("", deflated(image, 2**20)) for image in make_series(4)]
    opening = Opening(n_inflated_bytes=2 * 2**30 - 3 * 2**20)

    with pytest.raises(TooLarge, match="deflated files"):
        list(opening.all(files))


def test_a_deflated_image_that_is_cut_off_is_refused() -> None:
    files = encoded(make_series(), uid.DeflatedExplicitVRLittleEndian)

    with pytest.raises(UnreadableVolume, match="cut off"):
        read_dicom([*files[1:], files[0][:-20]])
