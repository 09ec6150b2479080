"""Images of a series that do not all say the same: jobs, lists and studies make the same volumes of them."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset

from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom, survey_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.admission import ignore
from disyre.errors import IrregularSlices, MultipleVolumes
from tests.dicom_phantom import AXIAL, DOUBLE_OBLIQUE, assert_is_phantom, encoded, make_series

FLAIR: dict[str, Any] = {
    "RepetitionTime": 9000,
    "EchoTime": 120,
    "InversionTime": 2500,
    "FlipAngle": 150,
    "ScanningSequence": "SE",
    "EchoTrainLength": 16,
    "DiffusionBValue": 0,
}


def assert_is_one_volume(series: list[FileDataset], *, tolerance: float = 0.51) -> list[str]:
    """A job, a list and a study take all images as one volume, with the same warnings, in any order."""
    files, warnings, told = encoded(series), list[str](), list[str]()
    assert_is_phantom(read_dicom(files[::-1], on_warning=warnings.append), tolerance=tolerance)
    (listed,) = inspect_dicom(files, told.append)
    (surveyed,) = survey_dicom(files, ignore)
    assert warnings == told
    for candidate in (listed, surveyed):
        assert (candidate.n, candidate.code) == (len(series), None)
        assert candidate.modality == check_dicom(files)
    return warnings


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("RepetitionTime", "repetition time"),
        ("EchoTime", "echo time"),
        ("InversionTime", "inversion time"),
        ("FlipAngle", "flip angle"),
        ("FrameOfReferenceUID", "frame of reference"),
        ("ImageType", "kind of image"),
    ],
)
@pytest.mark.parametrize("places", [[0], [5], [*range(2, 24, 3)], [*range(12)]], ids=str)
def test_an_attribute_that_some_images_lack_parts_no_volume(name: str, words: str, places: list[int]) -> None:
    series = make_series(24, **FLAIR)
    for place in places:
        delattr(series[place], name)

    (warning,) = assert_is_one_volume(series)

    assert f"{len(places)} of 24 images" in warning
    assert words in warning
    assert check_dicom(encoded(series)).name == "FLAIR"


@pytest.mark.parametrize("value", ["ORIGINAL", ["ORIGINAL", "PRIMARY"], "", None])
def test_an_image_type_that_is_cut_short_parts_no_volume(value: Any) -> None:
    series = make_series(12, **FLAIR)
    series[4].ImageType = value

    (warning,) = assert_is_one_volume(series)

    assert "ImageType" in warning


def test_an_empty_frame_of_reference_is_none() -> None:
    series = make_series(12)
    for image in series:
        image.FrameOfReferenceUID = ""
    del series[3].FrameOfReferenceUID

    assert assert_is_one_volume(series) == []


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("RepetitionTime", 780, 920), ("InversionTime", 550, 606), ("FlipAngle", 120, 148)],
)
def test_what_gating_lets_vary_parts_no_volume(name: str, low: float, high: float) -> None:
    series = make_series(24)
    for image, value in zip(series, np.linspace(low, high, 24), strict=True):
        setattr(image, name, f"{value:.6g}")

    (warning,) = assert_is_one_volume(series)

    assert f"varies from {low} to {high}" in warning


def test_images_of_which_half_are_normalised_are_one_volume() -> None:
    series = make_series(24)
    for image in series[::2]:
        image.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"]

    assert assert_is_one_volume(series) == ["the images differ in ImageType: NORM in 12 of 24"]


def test_images_with_and_without_normalisation_at_the_same_places_are_two_volumes() -> None:
    series = [*make_series(12), *make_series(12, ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "NORM"])]

    with pytest.raises(MultipleVolumes, match="got 2"):
        check_dicom(encoded(series))


@pytest.mark.parametrize("orientation", [AXIAL, DOUBLE_OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("most", [5e-5, 2e-4])
def test_directions_with_noise_are_those_of_one_volume(orientation: tuple[float, ...], most: float) -> None:
    noise = np.random.default_rng(0)
    series = make_series(60, shape=(64, 48), orientation=orientation)
    for image in series:
        stated = np.array(orientation) + noise.uniform(-most, most, 6)
        image.ImageOrientationPatient = [f"{cosine:.9f}" for cosine in stated]

    assert assert_is_one_volume(series, tolerance=3.0) == []


def test_that_only_some_images_are_derived_is_a_warning() -> None:
    series = make_series(24, ImageType=["ORIGINAL", "PRIMARY", "M"])
    for image in series[17:]:
        image.ImageType = ["DERIVED", "PRIMARY", "M"]

    assert assert_is_one_volume(series) == ["the images differ in ImageType: DERIVED in 7 of 24"]


def test_a_slice_of_another_study_is_named_everywhere() -> None:
    series = make_series(24, StudyInstanceUID="1.2.3")
    series[7].StudyInstanceUID = ""
    files = encoded(series)

    with pytest.raises(IrregularSlices, match=r"1 image that lies .* study \(StudyInstanceUID\)"):
        check_dicom(files)
    for listed in (inspect_dicom(files, ignore), survey_dicom(files, ignore)):
        assert {each.code for each in listed} == {"irregular-slices"}
        assert all("StudyInstanceUID" in (each.reason or "") for each in listed)


def test_an_image_of_another_patient_in_a_hole_is_not_called_missing() -> None:
    series = make_series(24, PatientID="1")
    series[7].PatientID = "2"

    listed = inspect_dicom(encoded(series), ignore)

    assert {each.code for each in listed} == {"irregular-slices"}
    assert all("PatientID" in (each.reason or "") for each in listed)
    assert all("send all images" not in (each.reason or "") for each in listed)


def test_a_slice_that_differs_and_the_others_say_the_same_of_it() -> None:
    series = make_series(12, EchoTime=10)
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
