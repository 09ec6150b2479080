"""Series that cannot be used beside one that can, files of no series, and images of several patients."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from pydicom import uid

from disyre.adapters.dicom_read import check_dicom, inspect_dicom, read_dicom, survey_dicom
from disyre.admission import ignore
from disyre.errors import (
    DisyreError,
    InvalidParams,
    IrregularSlices,
    MultipleVolumes,
    SeveralPatients,
    UnreadableVolume,
    UnusableVolume,
)
from tests.dicom_phantom import assert_is_phantom, encoded, make_series

GOOD, BAD = "1.2.840.1", "1.2.840.2"
SERIES_TAG = b"\x20\x00\x0e\x00UI"


def good(n_slices: int = 12, **attributes: Any) -> list[bytes]:
    return encoded(make_series(n_slices, SeriesInstanceUID=GOOD, **attributes))


def bad(n_slices: int = 12, syntax: uid.UID = uid.ExplicitVRLittleEndian, **attributes: Any) -> list[bytes]:
    return encoded(make_series(n_slices, SeriesInstanceUID=BAD, **attributes), syntax)


def with_one_cut(files: list[bytes], cut: Callable[[bytes], bytes]) -> list[bytes]:
    return [*files[:5], cut(files[5]), *files[6:]]


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


BEFORE_SERIES: dict[str, Callable[[bytes], bytes]] = {
    "in front of the data set": lambda content: content[:150],
    "between two attributes": lambda content: content[: content.index(b"\x20\x00\x0d\x00UI")],
    "inside the name of the series": lambda content: content[: content.index(SERIES_TAG) + 12],
    "with damage": lambda content: content[: content.index(b"\x08\x00\x08\x00CS")] + b"\xff" * 300,
}


@pytest.mark.parametrize("cut", BEFORE_SERIES.values(), ids=BEFORE_SERIES)
def test_a_file_that_is_cut_before_it_says_its_series_is_left_out_with_a_warning(
    cut: Callable[[bytes], bytes],
) -> None:
    upload = [*good(), cut(bad(1)[0])]
    warnings: list[str] = []

    volume = read_dicom(upload, on_warning=warnings.append)

    assert_is_phantom(volume)
    assert len(warnings) == 1
    assert warnings[0].startswith("1 DICOM file left out, as cut off or damaged")
    assert "the first or the last slice of a series may be missing" in warnings[0]


@pytest.mark.parametrize("cut", BEFORE_SERIES.values(), ids=BEFORE_SERIES)
def test_a_slice_that_went_missing_with_a_cut_file_is_still_missed(cut: Callable[[bytes], bytes]) -> None:
    upload = with_one_cut(good(), cut)

    with pytest.raises(IrregularSlices, match="1 slice is missing: 1 after slice 5 of 11"):
        check_dicom(upload)
    with pytest.raises(IrregularSlices):
        read_dicom(upload)


@pytest.mark.parametrize("cut", BEFORE_SERIES.values(), ids=BEFORE_SERIES)
def test_files_that_are_all_cut_are_refused(cut: Callable[[bytes], bytes]) -> None:
    with pytest.raises(UnreadableVolume):
        inspect_dicom([cut(content) for content in good()], ignore)


JANE: dict[str, Any] = {"PatientID": "CANARY-1", "StudyInstanceUID": "1.5.1"}
JOHN: dict[str, Any] = {"PatientID": "CANARY-2", "StudyInstanceUID": "1.5.2"}


def test_two_patients_in_one_series_are_never_one_volume() -> None:
    upload = [*good(**JANE), *good(origin=(-20.0, 10.0, 66.0), **JOHN)]
    warnings: list[str] = []

    listed = inspect_dicom(upload, warnings.append)

    assert [(each.n, each.code) for each in listed] == [(12, "several-patients")] * 2
    assert "one patient, got those of 2" in warnings[0]
    for series in (None, GOOD):
        with pytest.raises(SeveralPatients, match="of one series, so send those of each") as refused:
            check_dicom(upload, series=series)
        assert len(refused.value.candidates) == 2
        assert "CANARY" not in str(refused.value)
        with pytest.raises(SeveralPatients):
            read_dicom(upload, series=series)


def test_of_series_of_several_patients_one_has_to_be_picked() -> None:
    upload = [*good(**JANE), *bad(3, **JOHN)]

    with pytest.raises(SeveralPatients, match="option series_uid") as refused:
        check_dicom(upload)
    with pytest.raises(SeveralPatients) as of_study:
        survey_dicom(upload, ignore)

    assert [each.series_uid for each in refused.value.candidates] == [GOOD, BAD]
    assert of_study.value.candidates == refused.value.candidates
    assert_is_phantom(read_dicom(upload, series=GOOD))
    assert [each.code for each in inspect_dicom(upload, ignore)] == [None, "too-few-slices"]


@pytest.mark.parametrize(
    ("height_mm", "error", "words"),
    [
        (66.0, IrregularSlices, r"goes on differ from them in patient or study \(StudyInstanceUID\)"),
        (37.0, MultipleVolumes, "got 2"),
    ],
)
def test_two_studies_with_one_series_uid_are_two_volumes_unless_one_goes_on_in_the_other(
    height_mm: float, error: type[DisyreError], words: str
) -> None:
    other = good(origin=(-20.0, 10.0, height_mm), **{**JANE, "StudyInstanceUID": "1.5.3"})

    with pytest.raises(error, match=words):
        check_dicom([*good(**JANE), *other])


def test_who_has_no_patient_id_may_be_anyone() -> None:
    upload = [*good(**JANE), *bad(3, **{**JANE, "PatientID": ""})]

    check_dicom(upload)


@pytest.mark.parametrize("places", [[5], [0, 11], [*range(6)]], ids=str)
@pytest.mark.parametrize("names", [{}, {"PatientName": "CANARY", "PatientBirthDate": "19700101"}], ids=str)
def test_images_that_do_not_say_whose_they_are_are_of_the_patient_of_their_series(
    places: list[int], names: dict[str, Any]
) -> None:
    series = make_series(12, SeriesInstanceUID=GOOD, **JANE, **names)
    for place in places:
        del series[place].PatientID
    warnings: list[str] = []

    volume = read_dicom(encoded(series), on_warning=warnings.append)
    listed = [*inspect_dicom(encoded(series), ignore), *survey_dicom(encoded(series), ignore)]

    assert_is_phantom(volume)
    assert [(each.n, each.code) for each in listed] == [(12, None)] * 2
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{len(places)} image")
    assert "not state the PatientID that the others of the series do" in warnings[0]


def test_an_image_without_any_name_is_of_the_person_of_its_series() -> None:
    series = make_series(12, PatientBirthDate="19700101")
    for name in ("PatientName", "PatientBirthDate"):
        delattr(series[5], name)

    assert_is_phantom(read_dicom(encoded(series)))


def test_an_image_without_a_patient_id_that_names_another_person_is_of_another_volume() -> None:
    series = make_series(12, **JANE)
    for image in series[6:]:
        image.PatientID, image.PatientName = "", "CANARY^OTHER"

    assert [each.n for each in inspect_dicom(encoded(series), ignore)] == [6, 6]


def test_an_image_that_cannot_be_used_spoils_its_series_though_it_does_not_say_whose_it_is() -> None:
    series = make_series(12, SeriesInstanceUID=GOOD, **JANE)
    del series[5].PatientID
    del series[5].PixelData

    with pytest.raises(UnreadableVolume, match=r"1 of 12 images in this series"):
        check_dicom(encoded(series))


def test_an_image_that_may_be_of_either_of_two_patients_makes_them_no_one() -> None:
    series = make_series(12, SeriesInstanceUID=GOOD)
    for image, patient in zip(series, [*("CANARY-1",) * 6, "", *("CANARY-2",) * 5], strict=True):
        image.PatientID = patient

    with pytest.raises(SeveralPatients):
        check_dicom(encoded(series))


def test_an_unknown_series_is_refused_with_those_that_there_are() -> None:
    for read in (
        lambda: check_dicom([*good(), *bad()], series="9.9"),
        lambda: inspect_dicom([*good(), *bad()], ignore, series="9.9"),
    ):
        with pytest.raises(InvalidParams, match="one of the 2 series that came") as refused:
            read()
        assert {each.series_uid for each in refused.value.candidates} == {GOOD, BAD}


def test_one_series_can_be_listed_alone() -> None:
    (found,) = inspect_dicom([*good(), *bad()], ignore, series=BAD)

    assert found.series_uid == BAD


@pytest.mark.parametrize(
    "syntax", [uid.RLELossless, uid.JPEGLossless, uid.JPEGLSLossless, uid.JPEG2000Lossless], ids=str
)
def test_compressed_pixels_that_are_cut_off_are_seen_in_the_headers(syntax: uid.UID) -> None:
    files = bad(6, syntax, shape=(33, 36))

    with pytest.raises(UnreadableVolume):
        check_dicom([*files[:-1], files[-1][:-60]])


def test_a_fragment_that_is_longer_than_its_file_is_seen_in_the_headers() -> None:
    *whole, last = bad(6, uid.RLELossless, shape=(33, 36))
    start = last.index(b"\xfe\xff\x00\xe0", last.index(b"\xe0\x7f\x10\x00OB") + 20)
    longer = last[: start + 4] + (10_000).to_bytes(4, "little") + last[start + 8 :]

    with pytest.raises(UnreadableVolume):
        check_dicom([*whole, longer])


@pytest.mark.parametrize("said", [None, "", "CANARY"])
def test_images_that_state_no_series_are_one_that_is_read_and_picked(said: str | None) -> None:
    nameless = encoded(make_series(12, SeriesInstanceUID=said))
    upload = [*nameless, *good()]
    made_up = next(each.series_uid for each in inspect_dicom(upload, ignore) if each.series_uid != GOOD)
    warnings: list[str] = []

    assert_is_phantom(read_dicom(nameless, on_warning=warnings.append))
    assert_is_phantom(read_dicom(upload, series=made_up))
    read_dicom(upload, series=GOOD, on_warning=warnings.append)

    assert made_up is not None
    assert made_up.startswith("2.25.")
    assert len(warnings) == 1
    assert warnings[0].startswith("12 DICOM files without a usable SeriesInstanceUID")
    assert "CANARY" not in warnings[0]


def test_images_of_two_studies_that_state_no_series_are_of_two() -> None:
    upload = [
        *encoded(make_series(12, SeriesInstanceUID=None, StudyInstanceUID="1.5.1")),
        *encoded(make_series(12, SeriesInstanceUID=None, StudyInstanceUID="1.5.2")),
    ]

    assert len({each.series_uid for each in inspect_dicom(upload, ignore)}) == 2


def test_an_image_that_cannot_be_used_spoils_its_series_if_that_states_no_uid() -> None:
    files = encoded(make_series(12, SeriesInstanceUID=None))

    with pytest.raises(UnreadableVolume, match=r"cut off.*\(1 of 12 images in this series\)"):
        check_dicom([*files[:11], files[11][:-20]])


def test_where_each_slice_has_a_series_of_its_own_every_list_says_so() -> None:
    series = make_series(8)
    for number, image in enumerate(series):
        image.SeriesInstanceUID = f"1.2.{number}"
    upload = encoded(series)

    listed = [*inspect_dicom(upload, ignore), *survey_dicom(upload, ignore)]

    assert [each.code for each in listed] == ["irregular-slices"] * 16
    assert all("differ in series (SeriesInstanceUID)" in (each.reason or "") for each in listed)
    assert all(each.modality and "localizer" not in each.modality.reason for each in listed)
    with pytest.raises(IrregularSlices, match="SeriesInstanceUID") as refused:
        check_dicom(upload)
    assert len(refused.value.candidates) == 8


def test_a_slice_that_differs_and_the_others_say_the_same_of_it() -> None:
    series = make_series(12, SeriesInstanceUID=GOOD, EchoTime=10)
    series[5].EchoTime = 11

    listed = inspect_dicom(encoded(series), ignore)

    assert [(each.n, each.code) for each in listed] == [(11, "irregular-slices"), (1, "irregular-slices")]
    assert all("echo time (11 ms against 10 ms)" in (each.reason or "") for each in listed)


def test_of_a_few_images_that_differ_nobody_is_told_to_send_one_alone() -> None:
    upload = encoded([*make_series(3), *make_series(3, EchoTime=50)])

    with pytest.raises(
        MultipleVolumes, match=r"differ in echo time .*: they cannot be put together"
    ) as refused:
        check_dicom(upload)

    assert "alone" not in str(refused.value)
