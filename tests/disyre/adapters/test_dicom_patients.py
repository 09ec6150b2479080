"""Images of several patients or studies, and images that do not say whose they are."""

from typing import Any

import pytest

from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom, survey_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.admission import ignore
from disyre.errors import DisyreError, IrregularSlices, MultipleVolumes, SeveralPatients, UnreadableVolume
from tests.dicom_phantom import assert_is_phantom, encoded, make_series
from tests.disyre.adapters.two_series import BAD, GOOD, bad, good

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

    assert check_dicom(upload) == check_dicom(good(**JANE))
    assert [(each.n, each.code) for each in survey_dicom(upload, ignore)] == [
        (12, None),
        (3, "too-few-slices"),
    ]


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

    assert [each.n for each in inspect_dicom(encoded(series), ignore)] == [12]
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
