"""Localizers, and series of which none can be scored: what is said of them, and what is to be picked."""

import pytest

from disyre.adapters.dicom_inspection import check_dicom, survey_dicom
from disyre.admission import ignore
from disyre.errors import MultipleVolumes
from tests.dicom_phantom import AXIAL, CORONAL, encoded, make_series
from tests.disyre.adapters.two_series import BAD, bad, good


def localizer() -> list[bytes]:
    """Two planes of one series."""
    kind = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    planes = [
        make_series(5, SeriesInstanceUID=BAD, orientation=plane, ImageType=kind) for plane in (AXIAL, CORONAL)
    ]
    return encoded([*planes[0], *planes[1]])


def test_a_localizer_alone_is_refused_as_what_it_is() -> None:
    with pytest.raises(MultipleVolumes, match="they are localizers"):
        check_dicom(localizer())


def test_a_localizer_beside_a_scan_is_listed_with_the_reason() -> None:
    scan, beside = survey_dicom([*good(), *localizer()], ignore)

    assert (scan.code, beside.code) == (None, "multiple-volumes")
    assert "got a localizer" in (beside.reason or "")


def test_of_series_of_which_none_can_be_scored_none_is_to_be_picked() -> None:
    with pytest.raises(MultipleVolumes, match="none of them can be scored as it is"):
        check_dicom([*good(3), *bad(3)])


def test_of_series_that_can_all_be_scored_any_may_be_picked() -> None:
    with pytest.raises(MultipleVolumes, match="the option series_uid picks one"):
        check_dicom([*good(), *bad()])
