"""The SeriesInstanceUID by which a series is picked, also where images state none or one each."""

import pytest

from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom, survey_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.admission import ignore
from disyre.errors import InvalidParams, IrregularSlices, UnreadableVolume
from tests.dicom_phantom import assert_is_phantom, encoded, make_series
from tests.disyre.adapters.two_series import BAD, GOOD, bad, good


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
