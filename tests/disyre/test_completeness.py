"""What headers say of slices that did not come."""

from typing import Any

import pytest

from disyre.completeness import warn_of_missing
from tests.dicom_stacks import make_stack


def told(n: int = 48, *, n_series: int = 0, gap_mm: float = 6.0, **facts: Any) -> list[str]:
    warnings: list[str] = []
    stack = make_stack(n, gap_mm=gap_mm, **facts)
    warn_of_missing(stack[::-1], [*stack, *make_stack(n_series, echo_time_ms=9.0)], warnings.append)
    return warnings


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"n_in_acquisition": 48},
        {"n_in_acquisition": 1},
        {"n_in_acquisition": 51, "n_series": 3},
        {"gap_stated_mm": 6.0},
        {"gap_stated_mm": 5.9},
        {"gap_stated_mm": 4.6},
        {"gap_stated_mm": 11.0},
        {"gap_stated_mm": 1.0, "thickness_mm": 5.0},
        {"gap_stated_mm": 2.0, "thickness_mm": 4.0},
        {"gap_stated_mm": 6.0, "thickness_mm": 3.0},
        {"thickness_mm": 5.0},
        {"thickness_mm": 3.2},
    ],
    ids=str,
)
def test_headers_that_fit_the_slices_are_no_matter(facts: dict[str, Any]) -> None:
    assert told(**facts) == []


def test_fewer_images_than_the_acquisition_has_are_told() -> None:
    assert told(n_in_acquisition=60) == [
        "the headers say that the acquisition has 60 images (ImagesInAcquisition), and 48 came: slices may "
        "be missing at the ends"
    ]


@pytest.mark.parametrize(
    "facts",
    [
        {"gap_stated_mm": 3.0},
        {"gap_stated_mm": 3.0, "thickness_mm": 3.0},
        {"gap_stated_mm": 2.0, "thickness_mm": 2.0},
        {"gap_stated_mm": 3.0, "thickness_mm": 5.0},
    ],
    ids=str,
)
def test_slices_that_lie_a_multiple_of_the_stated_spacing_apart_are_told(facts: dict[str, Any]) -> None:
    (warning,) = told(**facts)

    assert warning == (
        f"the slices are 6.00 mm apart, where the headers say {facts['gap_stated_mm']:.2f} mm "
        "(SpacingBetweenSlices): slices between them may be missing"
    )


@pytest.mark.parametrize("thickness_mm", [None, 12.0])
def test_slices_that_lie_a_fraction_of_the_stated_spacing_apart_are_told_unless_they_are_thin(
    thickness_mm: float | None,
) -> None:
    (warning,) = told(gap_stated_mm=12.0, thickness_mm=thickness_mm)

    assert warning.endswith("12.00 mm (SpacingBetweenSlices): two scans may lie between one another")
    assert told(gap_stated_mm=12.0, thickness_mm=6.0) == told(gap_stated_mm=11.0, thickness_mm=11.0) == []


def test_one_echo_of_an_acquisition_with_several_may_be_all_that_was_sent() -> None:
    assert told(n_in_acquisition=96) == [
        "the headers say that the acquisition has 96 images (ImagesInAcquisition), and 48 came: other "
        "echoes or times were not sent, or slices may be missing at the ends"
    ]


@pytest.mark.parametrize("thickness_mm", [3.0, 3.1, 1.0])
def test_slices_with_as_much_between_them_as_they_are_thick_are_told(thickness_mm: float) -> None:
    (warning,) = told(thickness_mm=thickness_mm)

    assert warning.startswith(f"the slices are 6.00 mm apart and {thickness_mm:.2f} mm thick")
    assert warning.endswith("every second slice may be missing")
