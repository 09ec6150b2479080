"""DICOM that is refused: other volumes than one, and headers that say what cannot be."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import FileDataset

from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.errors import (
    DisyreError,
    GantryTilt,
    IrregularSlices,
    MultipleVolumes,
    NonFiniteVoxels,
    TooFewSlices,
    UnreadableVolume,
    UnsupportedGeometry,
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


def test_the_end_of_a_stack_with_another_kind_of_image_is_told_of_both_parts() -> None:
    series = make_series(16)
    for image in series[13:]:
        image.ImageType = ["DERIVED", "SECONDARY", "OTHER"]

    candidates = inspect_dicom(encoded(series), lambda warning: None)

    assert [(each.n, each.code) for each in candidates] == [(13, "irregular-slices"), (3, "irregular-slices")]
    assert len({each.reason for each in candidates}) == 1


def test_one_slice_is_no_volume() -> None:
    with pytest.raises(TooFewSlices, match="got 1"):
        read(make_series(1))


def test_values_that_a_slope_makes_too_large_are_refused_by_name() -> None:
    with pytest.raises(NonFiniteVoxels, match=r"floats of 32 bits can hold.* check the .* slope"):
        read(make_series(RescaleSlope="1e38"))


@pytest.mark.parametrize(
    ("slope", "words"), [(None, "got none in 1 of"), (-2, "got 1 of .* with one below 0")], ids=str
)
def test_an_image_that_is_not_on_the_scale_of_the_others_is_refused_before_it_is_read(
    slope: float | None, words: str
) -> None:
    series = make_series(RescaleSlope=2)
    if slope is None:
        del series[3].RescaleSlope
    else:
        series[3].RescaleSlope = slope

    for read in (check_dicom, read_dicom):
        with pytest.raises(UnusableVolume, match=words):
            read(encoded(series))


def test_a_slope_that_inverts_a_scan_is_refused_by_name() -> None:
    series = make_series(8, shape=(16, 16))
    for k, image in enumerate(series):
        plane = np.zeros((16, 16), "<u2")
        plane[4:12, 4:12] = 100 * (1 < k < 6)
        image.PixelData = plane.tobytes()
        image.RescaleSlope, image.RescaleIntercept = -1, 1000

    with pytest.raises(UnusableVolume, match=r"RescaleSlope.* is above 0, got -1,"):
        read(series)


BROKEN_HEADERS: dict[str, tuple[dict[str, Any], type[DisyreError]]] = {
    "spacing of 0": ({"PixelSpacing": [0, 0]}, UnsupportedGeometry),
    "spacing below 0": ({"PixelSpacing": [-1.5, 2.0]}, UnsupportedGeometry),
    "spacing of 0 in one direction": ({"PixelSpacing": [1.5, 0]}, UnsupportedGeometry),
    "spacing that is infinite": ({"PixelSpacing": ["1.5", "inf"]}, UnreadableVolume),
    "spacing of 100 mm": ({"PixelSpacing": [100, 100]}, UnsupportedGeometry),
    "spacing that is no number": ({"PixelSpacing": ["nan", "nan"]}, UnreadableVolume),
    "one spacing": ({"PixelSpacing": 1}, UnreadableVolume),
    "no spacing": ({"PixelSpacing": None}, UnreadableVolume),
    "orientation of zeros": ({"ImageOrientationPatient": [0] * 6}, UnsupportedGeometry),
    "no orientation": ({"ImageOrientationPatient": None}, UnreadableVolume),
    "no position": ({"ImagePositionPatient": None}, UnreadableVolume),
    "slope of 0": ({"RescaleSlope": 0}, UnreadableVolume),
    "slope that is not a number": ({"RescaleSlope": "nan"}, UnreadableVolume),
    "two slopes": ({"RescaleSlope": ["1", "2"]}, UnreadableVolume),
    "infinite intercept": ({"RescaleIntercept": "inf"}, UnreadableVolume),
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

    (listed,) = inspect_dicom(series, lambda warning: None)
    with pytest.raises(error) as refusal:
        check_dicom(series)
    with pytest.raises(error):
        read_dicom(series)

    assert listed.code == error.code
    assert "CANARY" not in str(refusal.value)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"PixelSpacing": [-1.5, 2.0]}, r"above 0 mm and up to 1000 mm \(PixelSpacing\), got -1.5 x 2 mm"),
        ({"PixelSpacing": ["1e308", "1e308"]}, r"got 1e\+308 x 1e\+308 mm"),
        (
            {"ImagePositionPatient": ["0", "-1e300", "0"]},
            r"numbers up to 1e\+06 \(ImagePositionPatient\), got -1e\+300",
        ),
        ({"ImageOrientationPatient": ["1e300", *"00010"]}, r"\(ImageOrientationPatient\), got 1e\+300"),
        ({"RescaleSlope": 0}, r"other than 0 \(RescaleSlope\), got 0"),
        ({"RescaleSlope": "nan"}, "expected 1 number as RescaleSlope"),
    ],
)
def test_a_number_that_cannot_be_is_named(attributes: dict[str, Any], words: str) -> None:
    with pytest.raises(DisyreError, match=words):
        check_dicom(encoded(make_series(**attributes)))


@pytest.mark.parametrize("attribute", ["RescaleSlope", "RescaleIntercept"])
def test_a_word_in_place_of_a_number_is_refused_by_the_name_of_the_number(attribute: str) -> None:
    number: dict[str, Any] = {attribute: "1.2345"}
    files = [content.replace(b"1.2345", b"abcdef") for content in encoded(make_series(**number))]

    (listed,) = inspect_dicom(files, lambda warning: None)

    assert (listed.code, listed.reason) == (
        "unreadable-volume",
        f"expected 1 number as {attribute}, got something else",
    )


@pytest.mark.parametrize("attributes", [{"RescaleSlope": ""}, {"RescaleIntercept": " "}])
def test_a_scale_that_is_left_empty_changes_no_value(attributes: dict[str, Any]) -> None:
    assert_is_phantom(read(make_series(**attributes)))


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
