"""DICOM that is refused: other volumes than one, other things than MR, and damage."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import FileDataset

from disyre.adapters.dicom_files import SortedFiles, read_in_batches
from disyre.adapters.dicom_read import inspect_dicom, read_dicom
from disyre.errors import (
    DisyreError,
    GantryTilt,
    InvalidInput,
    IrregularSlices,
    MultipleVolumes,
    NotAnImage,
    NotBrainMr,
    TooFewSlices,
    TooLarge,
    UnreadableVolume,
    UnsupportedGeometry,
    UnsupportedTransferSyntax,
    UnusableVolume,
)
from disyre.volume import Volume
from tests import dicom_phantom as phantom
from tests.dicom_phantom import assert_is_phantom, encoded, make_series


def read(images: Sequence[FileDataset], syntax: uid.UID = uid.ExplicitVRLittleEndian) -> Volume:
    return read_dicom(encoded(images, syntax))


def test_a_missing_slice_is_refused_with_its_gap() -> None:
    series = make_series(12)
    del series[5]

    with pytest.raises(
        IrregularSlices, match=r"1 slice is missing: 1 after slice 5 of 11 \(between 12\.00 and 18\.00 mm"
    ):
        read(series)


def test_growing_spacing_is_refused() -> None:
    positions = [(0.0, 0.0, 3.0 * k + 0.05 * k**2) for k in range(12)]

    with pytest.raises(IrregularSlices):
        read(make_series(positions=positions))


def test_gantry_shear_is_refused_with_its_angle() -> None:
    positions = [(0.0, 3.0 * k * np.tan(np.deg2rad(15)), 3.0 * k) for k in range(12)]

    with pytest.raises(GantryTilt, match=r"15\.0 degrees"):
        read(make_series(positions=positions))


@pytest.mark.parametrize(
    "attribute",
    [{"TemporalPositionIdentifier": 2}, {"EchoTime": 80.0}, {"SeriesInstanceUID": "1.2.3"}],
    ids=lambda attribute: next(iter(attribute)),
)
def test_two_volumes_in_one_upload_are_refused(attribute: dict[str, Any]) -> None:
    with pytest.raises(MultipleVolumes, match="got 2: 6 axial images of 9 x 7"):
        read(make_series() + make_series(**attribute))


def test_magnitude_and_phase_are_two_volumes() -> None:
    with pytest.raises(MultipleVolumes):
        read(make_series() + make_series(ImageType=["ORIGINAL", "PRIMARY", "P", "ND"]))


def test_a_localizer_beside_the_volume_is_left_out() -> None:
    localizer = make_series(3, orientation=phantom.SAGITTAL, gap_mm=20.0)
    warnings: list[str] = []

    volume = read_dicom(encoded(localizer + make_series(16)), on_warning=warnings.append)

    assert_is_phantom(volume)
    assert volume.shape == (9, 7, 16)
    assert warnings == ["3 sagittal images of 9 x 7: left out, as not part of the volume"]


def test_a_volume_can_be_picked_though_its_series_has_a_localizer_too() -> None:
    localizer = make_series(3, orientation=phantom.SAGITTAL, gap_mm=20.0)

    volume, _ = inspect_dicom(encoded(localizer + make_series(16)), lambda warning: None)

    assert (volume.n, volume.code) == (16, None)


def test_what_is_wrong_with_a_volume_is_told_of_it_and_not_of_the_localizer_in_its_series() -> None:
    localizer = make_series(3, orientation=phantom.SAGITTAL, gap_mm=20.0)
    series = make_series(16)
    del series[5]

    volume, other = inspect_dicom(encoded(localizer + series), lambda warning: None)

    assert (volume.n, volume.code) == (15, "irregular-slices")
    assert (other.n, other.code) == (3, "too-few-slices")


def test_one_slice_is_no_volume() -> None:
    with pytest.raises(TooFewSlices, match="got 1"):
        read(make_series(1))


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
    others = [b"readme", bytes(1000), *encoded(make_series(1, SOPClassUID=uid.EncapsulatedPDFStorage))]
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
        read(make_series(SOPClassUID=sop_class))


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


BROKEN_HEADERS: dict[str, tuple[dict[str, Any], type[DisyreError]]] = {
    "spacing of 0": ({"PixelSpacing": [0, 0]}, UnsupportedGeometry),
    "spacing of 100 mm": ({"PixelSpacing": [100, 100]}, UnsupportedGeometry),
    "spacing that is no number": ({"PixelSpacing": ["nan", "nan"]}, UnreadableVolume),
    "one spacing": ({"PixelSpacing": 1}, UnreadableVolume),
    "no spacing": ({"PixelSpacing": None}, UnreadableVolume),
    "orientation of zeros": ({"ImageOrientationPatient": [0] * 6}, UnsupportedGeometry),
    "no orientation": ({"ImageOrientationPatient": None}, UnreadableVolume),
    "no position": ({"ImagePositionPatient": None}, UnreadableVolume),
    "slope of 0": ({"RescaleSlope": 0}, UnreadableVolume),
    "slope that is no number": ({"RescaleSlope": "nan"}, UnreadableVolume),
    "colour": ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, UnusableVolume),
    "inverted greys": ({"PhotometricInterpretation": "MONOCHROME1"}, UnusableVolume),
    "the place of a slice, but not in the patient": (
        {"ImagePositionPatient": None, "SliceLocation": 3.0},
        UnreadableVolume,
    ),
    "pixels at the detector only": ({"PixelSpacing": None, "ImagerPixelSpacing": [1, 1]}, UnreadableVolume),
    "several frames": ({"NumberOfFrames": 6}, UnreadableVolume),
    "a long attribute": ({"EchoTime": ["1.5"] * 1000}, UnreadableVolume),
    "no rows": ({"Rows": 0}, UnreadableVolume),
    "no columns": ({"Columns": 0}, UnreadableVolume),
    "no bits": ({"BitsAllocated": 0}, UnreadableVolume),
    "more pixels than are there": ({"Rows": 60}, UnreadableVolume),
    "far more pixels than may be": ({"Rows": 65535, "Columns": 65535}, UnreadableVolume),
}


@pytest.mark.parametrize(("attributes", "error"), BROKEN_HEADERS.values(), ids=BROKEN_HEADERS)
def test_a_broken_header_is_refused(attributes: dict[str, Any], error: type[DisyreError]) -> None:
    series = encoded(make_series(**attributes))

    with pytest.raises(error) as refusal:
        read_dicom(series)

    assert "CANARY" not in str(refusal.value)


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ("ImagePositionPatient", "where it lies in the patient"),
        ("ImageOrientationPatient", "how it is turned in the patient"),
        ("PixelSpacing", "how large its pixels are"),
    ],
)
def test_what_is_missing_in_a_header_is_said_in_words(attribute: str, words: str) -> None:
    missing: dict[str, Any] = {attribute: None}

    with pytest.raises(UnreadableVolume, match=rf"to say {words} \({attribute}, \d numbers\)"):
        read(make_series(**missing))


@pytest.mark.parametrize(
    "other", [{"shape": (8, 7)}, {"spacing_mm": (1.5, 2.1)}, {"gap_mm": 3.1, "EchoTime": 9.0}]
)
def test_images_of_another_size_are_another_volume(other: dict[str, Any]) -> None:
    with pytest.raises(MultipleVolumes, match="got 2"):
        read(make_series() + make_series(**other))


@pytest.mark.parametrize("jitter_mm", [0.2, 1.0])
def test_positions_that_jitter_are_refused(jitter_mm: float) -> None:
    positions = [(0.0, 0.0, 3.0 * k + jitter_mm * (-1) ** k) for k in range(12)]

    with pytest.raises(IrregularSlices):
        read(make_series(positions=positions))


def test_one_more_image_at_a_place_is_refused() -> None:
    series = make_series()
    (again,) = make_series(1, slope=2.0)

    with pytest.raises(IrregularSlices, match="different ones at 1 of 6"):
        read([*series, again])


def test_a_mosaic_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedGeometry, match="Siemens mosaic"):
        read(make_series(1, ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]))


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
        read(make_series(1, **DIRECTORY))


def test_a_dicomdir_is_no_reason_for_a_refusal() -> None:
    with pytest.raises(NotBrainMr, match=r"got CT Image Storage$"):
        read(make_series(1, **DIRECTORY) + make_series(SOPClassUID=uid.CTImageStorage))


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
    [(0, 1, []), (64, 1, [64]), (150, 1, [64, 64, 22]), (5, 40 * 2**20, [2, 2, 1]), (2, 64 * 2**20, [1, 1])],
)
def test_no_more_files_are_in_memory_together_than_threads_are_worth(
    n_files: int, n_bytes: int, sizes: list[int]
) -> None:
    batches = read_in_batches(bytes(n_bytes) for _ in range(n_files))

    assert [len(batch) for batch in batches] == sizes


def test_deflated_images_may_not_be_too_large_together() -> None:
    files = [deflated(image, 2**20) for image in make_series(4)]
    found = SortedFiles(n_inflated_bytes=2 * 2**30 - 3 * 2**20)

    with pytest.raises(TooLarge, match="deflated files"):
        found.add(files)


def test_a_deflated_image_that_is_cut_off_is_refused() -> None:
    files = encoded(make_series(), uid.DeflatedExplicitVRLittleEndian)

    with pytest.raises(UnreadableVolume, match="cut off"):
        read_dicom([*files[1:], files[0][:-20]])


def test_images_without_pixels_are_refused() -> None:
    series = make_series()
    for image in series:
        del image.PixelData

    with pytest.raises(UnreadableVolume, match="expected images with pixels"):
        read(series)


@pytest.mark.parametrize("length", [700, -10])
def test_a_truncated_image_is_refused(length: int) -> None:
    *whole, last = encoded(make_series())

    with pytest.raises(InvalidInput):
        read_dicom([*whole, last[:length]])


def test_sequences_in_sequences_without_end_are_refused() -> None:
    (content, *others) = encoded(make_series())
    group = b"\x00\x52\x30\x92"  # per-frame functional groups, so that they are not skipped
    nested = (group[1::-1] + group[3:1:-1] + b"SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff") * 5000
    at = content.index(b"\xe0\x7f\x10\x00")

    with pytest.raises(InvalidInput):
        read_dicom([content[:at] + nested, *others])


def test_nothing_that_a_person_wrote_is_repeated() -> None:
    first, second = make_series(), make_series(SeriesInstanceUID="1.2.3")

    with pytest.raises(MultipleVolumes) as refusal:
        read(first + second)

    assert "CANARY" not in str(refusal.value)


_FILES = encoded(make_series(4, shape=(5, 4)))


@settings(max_examples=150)
@given(
    file=st.integers(0, 3),
    changes=st.lists(
        st.tuples(st.integers(128, min(map(len, _FILES)) - 1), st.integers(0, 255)), min_size=1, max_size=6
    ),
)
def test_damaged_files_are_read_or_refused_and_nothing_else(
    file: int, changes: list[tuple[int, int]]
) -> None:
    files = [bytearray(content) for content in _FILES]
    for place, value in changes:
        files[file][place] = value

    try:
        volume = read_dicom([bytes(content) for content in files])
    except InvalidInput:
        return
    assert np.isfinite(volume.voxels).all()
