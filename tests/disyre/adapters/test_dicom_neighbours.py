"""Series that cannot be used beside one that can."""

import re
from collections.abc import Callable

import pytest
from pydicom import uid

from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom, survey_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.admission import ignore
from disyre.errors import MultipleVolumes, UnusableVolume
from tests.dicom_phantom import assert_is_phantom, encoded, make_series
from tests.disyre.adapters.two_series import BAD, GOOD, SERIES_TAG, bad, good, with_one_cut


def without_pixels() -> list[bytes]:
    series = make_series(12, SeriesInstanceUID=BAD)
    del series[5].PixelData
    return encoded(series)


def video() -> list[bytes]:
    """With the name of a transfer syntax that is not read, of the same length as the one that is there."""
    return [
        content.replace(uid.ExplicitVRLittleEndian.encode() + b"\0", b"1.2.840.10008.1.2.9\0", 1)
        for content in bad()
    ]


def cut_behind_series(content: bytes) -> bytes:
    return content[: content.index(SERIES_TAG) + 30]


BAD_SERIES: dict[str, tuple[Callable[[], list[bytes]], str, str]] = {
    "colour": (
        lambda: bad(PhotometricInterpretation="RGB", SamplesPerPixel=3),
        "unusable-volume",
        "got colour",
    ),
    "inverted": (lambda: bad(PhotometricInterpretation="MONOCHROME1"), "unusable-volume", "MONOCHROME1"),
    "upper bits": (lambda: bad(BitsStored=12, HighBit=15), "unusable-volume", "HighBit"),
    "no position": (lambda: bad(ImagePositionPatient=None), "unreadable-volume", "where it lies"),
    "one without pixels": (
        without_pixels,
        "unreadable-volume",
        r"without.*\(1 of 12 images in this series\)",
    ),
    "one cut in its header": (
        lambda: with_one_cut(bad(), cut_behind_series),
        "unreadable-volume",
        r"pixels.*\(1 of 12 images",
    ),
    "one cut inside an attribute": (
        lambda: with_one_cut(bad(), lambda content: content[: content.index(b"MONOCHROME2") + 4]),
        "unreadable-volume",
        r"cut off in its header \(1 of 12 images",
    ),
    "one cut in its pixels": (
        lambda: with_one_cut(bad(), lambda content: content[:-20]),
        "unreadable-volume",
        r"expected 126 bytes of pixels, as the header says, got 106.*\(1 of 12 images",
    ),
    "video": (video, "unsupported-transfer-syntax", "an unknown kind"),
    "deflated and cut off": (
        lambda: with_one_cut(bad(syntax=uid.DeflatedExplicitVRLittleEndian), lambda content: content[:-40]),
        "unreadable-volume",
        r"cut off \(1 of 12 images",
    ),
    "too long an attribute": (lambda: bad(EchoTime=["1.5"] * 1000), "unreadable-volume", "usual size"),
}


@pytest.mark.parametrize(("files", "code", "words"), BAD_SERIES.values(), ids=BAD_SERIES)
def test_a_series_that_cannot_be_used_harms_no_other(
    files: Callable[[], list[bytes]], code: str, words: str
) -> None:
    upload = [*files(), *good()]

    listed = {each.series_uid: each for each in inspect_dicom(upload, ignore)}
    surveyed = {each.series_uid: (each.code, each.n) for each in survey_dicom(upload, ignore)}

    assert listed[GOOD].code is None
    assert (listed[BAD].n, listed[BAD].code, listed[BAD].shape) == (12, code, None)
    assert re.search(words, listed[BAD].reason or "")
    assert surveyed == {GOOD: (None, 12), BAD: (code, 12)}
    check_dicom(upload, series=GOOD)
    assert_is_phantom(read_dicom(upload, series=GOOD))


@pytest.mark.parametrize(("files", "code", "words"), BAD_SERIES.values(), ids=BAD_SERIES)
def test_a_series_that_cannot_be_used_is_refused_with_the_reason_if_it_is_alone_or_picked(
    files: Callable[[], list[bytes]], code: str, words: str
) -> None:
    for upload in (files(), [*files(), *good()]):
        for read in (check_dicom, read_dicom):
            with pytest.raises(Exception, match=words) as refused:
                read(upload, series=BAD)
            assert getattr(refused.value, "code", None) == code


def test_one_of_two_large_series_is_not_taken_only_because_the_other_cannot_be_used() -> None:
    upload = [*bad(PhotometricInterpretation="MONOCHROME1"), *good()]

    with pytest.raises(MultipleVolumes, match="12 images of a series that cannot be used") as refused:
        check_dicom(upload)

    assert {each.series_uid: each.code for each in refused.value.candidates} == {
        GOOD: None,
        BAD: "unusable-volume",
    }


def test_a_small_series_that_cannot_be_used_is_left_out_as_a_localizer_is() -> None:
    upload = [*bad(3, PhotometricInterpretation="MONOCHROME1"), *good()]
    warnings: list[str] = []

    volume = read_dicom(upload, on_warning=warnings.append)

    assert_is_phantom(volume)
    assert warnings[0].startswith(
        "3 images of a series that cannot be used: left out, as not part of the volume"
    )
    assert "MONOCHROME1" in warnings[0]


def test_a_small_series_is_not_taken_for_the_large_one_that_cannot_be_used() -> None:
    upload = [*bad(24, PhotometricInterpretation="MONOCHROME1"), *good(4)]

    with pytest.raises(UnusableVolume, match="MONOCHROME1") as refused:
        check_dicom(upload)

    assert [each.series_uid for each in refused.value.candidates] == [BAD, GOOD]
