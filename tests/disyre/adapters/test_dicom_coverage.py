"""Series of DICOM files that are alike and show different parts of a head."""

from disyre.adapters.dicom_inspection import inspect_dicom, survey_dicom
from disyre.adapters.dicom_read import read_dicom
from tests.dicom_phantom import encoded, make_series


def test_parts_of_a_head_in_two_series_are_told_of_wherever_they_are_sent() -> None:
    head = make_series(30)
    for image in head[17:]:
        image.SeriesInstanceUID = "1.2.99"
    parts = encoded(head[:14] + head[17:])
    picked, inspected, surveyed = list[str](), list[str](), list[str]()

    read_dicom(parts, series="1.2.99", on_warning=picked.append)
    inspect_dicom(parts, inspected.append)
    survey_dicom(parts, surveyed.append)

    assert len(picked) == 1
    assert picked[0].startswith("a series of 13 images covers")
    assert picked[0] in inspected
    assert picked[0] in surveyed
    assert len(inspected) == len(surveyed) == 2


def test_a_series_that_cannot_be_used_takes_no_part_in_it() -> None:
    whole, again = make_series(20), make_series(20)
    for image in again:
        image.SeriesInstanceUID = "1.2.99"
    del again[3].ImagePositionPatient
    warnings: list[str] = []

    assert [each.code for each in survey_dicom(encoded(whole + again), warnings.append)] == [
        None,
        "unreadable-volume",
    ]
    assert warnings == []
