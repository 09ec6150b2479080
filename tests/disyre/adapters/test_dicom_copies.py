"""Images that are at the place of another: copies, which are equal in all values, and what is none."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import FileDataset

from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.admission import ignore
from disyre.errors import MultipleVolumes
from tests.dicom_phantom import assert_is_phantom, encoded, make_enhanced, make_series


def brighter(image: FileDataset) -> FileDataset:
    """The same image with other pixels."""
    other = deepcopy(image)
    other.PixelData = (np.frombuffer(image.PixelData, "<u2") + 1).astype("<u2").tobytes()
    return other


def changed(image: FileDataset, **attributes: Any) -> FileDataset:
    """The same image with another header."""
    other = deepcopy(image)
    for name, value in attributes.items():
        setattr(other, name, value)
    return other


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless], ids=lambda uid: uid.name)
def test_frames_of_two_enhanced_files_with_other_pixels_are_no_copies(syntax: uid.UID) -> None:
    image = make_enhanced(make_series())
    upload = encoded([image, brighter(image)], syntax)

    (listed,) = inspect_dicom(upload, ignore)

    assert (listed.code, listed.n) == ("multiple-volumes", 12)
    for read in (check_dicom, read_dicom):
        with pytest.raises(MultipleVolumes, match="got 2 at each of 6 places"):
            read(upload)


def test_an_enhanced_file_that_is_there_twice_is_read_once() -> None:
    image = make_enhanced(make_series())
    again = changed(image, SOPInstanceUID=uid.generate_uid())
    warnings: list[str] = []

    volume = read_dicom(encoded([image, again]), on_warning=warnings.append)

    assert_is_phantom(volume)
    assert warnings == ["6 images dropped, as equal to another at the same place"]


def test_frames_with_the_same_pixels_and_another_slope_are_no_copies() -> None:
    image = make_enhanced(make_series())
    other = deepcopy(image)
    other.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0].RescaleSlope = 2.0

    with pytest.raises(MultipleVolumes, match="got 2 at each of 6 places"):
        check_dicom(encoded([image, other]))


@pytest.mark.parametrize(
    "attributes",
    [
        {"RescaleSlope": 2.0},
        {"RescaleIntercept": 7.0},
        {"PixelRepresentation": 1},
        {"BitsStored": 12, "HighBit": 11},
        {"PixelPaddingValue": 3},
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_images_with_the_same_pixels_that_mean_other_values_are_no_copies(attributes: dict[str, Any]) -> None:
    series = make_series()
    others = [changed(image, **attributes) for image in series]

    for read in (check_dicom, read_dicom):
        with pytest.raises(MultipleVolumes, match="got 2 at each of 6 places"):
            read(encoded([*series, *others]))


def test_a_scale_that_is_written_otherwise_is_the_same() -> None:
    series = make_series()
    others = [changed(image, RescaleSlope="1.000", RescaleIntercept=None) for image in series]

    assert_is_phantom(read_dicom(encoded([*series, *others])))
