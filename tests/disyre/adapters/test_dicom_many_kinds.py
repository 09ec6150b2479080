"""A series of images of very many kinds, such as one over time, beside one that can be scored."""

import re

import pytest

from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom, survey_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.admission import ignore
from disyre.errors import MultipleVolumes
from tests.dicom_phantom import assert_is_phantom, encoded, make_series

GOOD, BAD = "1.2.840.1", "1.2.840.2"


def test_a_series_over_very_many_times_harms_no_other() -> None:
    over_time = [
        image
        for time in range(101)
        for image in make_series(2, SeriesInstanceUID=BAD, TemporalPositionIdentifier=time + 1)
    ]
    upload = [*encoded(over_time), *encoded(make_series(12, SeriesInstanceUID=GOOD))]

    listed = {each.series_uid: each for each in inspect_dicom(upload, ignore)}
    surveyed = {each.series_uid: (each.code, each.n) for each in survey_dicom(upload, ignore)}
    with pytest.raises(MultipleVolumes, match="got 2: 202 images of a series that cannot") as refused:
        check_dicom(upload)

    assert (listed[GOOD].code, listed[GOOD].n) == (None, 12)
    assert (listed[BAD].code, listed[BAD].n) == ("multiple-volumes", 202)
    assert re.search("more than 100 kinds, which differ in time .TemporalPosition", listed[BAD].reason or "")
    assert surveyed == {GOOD: (None, 12), BAD: ("multiple-volumes", 202)}
    assert [each.series_uid for each in refused.value.candidates] == [BAD, GOOD]
    assert_is_phantom(read_dicom(upload, series=GOOD))
    with pytest.raises(MultipleVolumes, match=r"TemporalPosition.*: send one of them alone"):
        check_dicom(upload, series=BAD)
