"""What tells volumes apart that would be described in the same words."""

from typing import Any

import pytest

from disyre import stacks
from disyre.distinction import distinguished
from disyre.sequence_parameters import SequenceParameters
from disyre.stacks import Stack
from tests.dicom_stacks import make_stack

SAID = "20 axial images of 8 x 9"


def told_apart(*changes: dict[str, Any], n: int = 20) -> list[str]:
    """What stacks are called that differ in some facts."""
    found = [make_stack(n, series=str(number), **each) for number, each in enumerate(changes)]
    return distinguished([stacks.describe(stack) for stack in found], found)


def parameters(**values: Any) -> dict[str, Any]:
    return {"sequence": SequenceParameters(**values)}


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"gap_mm": 1.2}, {"gap_mm": 3.0}, ["a slice every 1.2 mm", "a slice every 3 mm"]),
        (
            {"spacing_mm": (0.699999988, 0.5)},
            {"spacing_mm": (0.9, 0.9)},
            ["pixels of 0.5 x 0.7 mm", "pixels of 0.9 x 0.9 mm"],
        ),
        (
            {"image_type": ("ORIGINAL", "PRIMARY", "M")},
            {"image_type": ("ORIGINAL", "PRIMARY", "P")},
            ["magnitude", "phase"],
        ),
        (
            {"image_type": ("DERIVED", "PRIMARY", "M", "Anna's")},
            {"image_type": ("ORIGINAL", "PRIMARY", "Anna's")},
            ["derived and magnitude", "another kind of image"],
        ),
        ({"image_type": ("M", "ND")}, {"image_type": ("M", "NORM")}, ["ND", "NORM"]),
        ({"image_type": ("M", "ND")}, {"image_type": ("M", "ND", "NORM")}, ["ND", "ND and NORM"]),
        ({"image_type": ("M", "Anna")}, {"image_type": ("M", "NORM")}, ["no filter (ImageType)", "NORM"]),
        (parameters(b_value=0.0), parameters(b_value=1000.0), ["b-value 0 s/mm2", "b-value 1000 s/mm2"]),
        (
            parameters(tr_ms=500.0, ti_ms=90.0),
            parameters(tr_ms=2500.0, ti_ms=90.0),
            ["TR 500 ms", "TR 2500 ms"],
        ),
    ],
)
def test_what_differs_is_said(one: dict[str, Any], other: dict[str, Any], words: list[str]) -> None:
    assert told_apart(one, other) == [f"{SAID}, {more}" for more in words]


def test_what_only_one_has_is_said_of_it_and_that_the_other_has_none() -> None:
    assert told_apart(parameters(), parameters(flip_deg=15.0)) == [
        f"{SAID}, flip angle not stated",
        f"{SAID}, flip angle 15 degrees",
    ]


def test_what_differs_in_nothing_is_numbered() -> None:
    assert told_apart({}, {}, {"gap_mm": 2.0}) == [
        f"{SAID}, a slice every 1 mm, number 1 of 3 such",
        f"{SAID}, a slice every 1 mm, number 2 of 3 such",
        f"{SAID}, a slice every 2 mm",
    ]


def test_a_scan_after_a_contrast_agent_is_told_from_the_one_before() -> None:
    assert told_apart(parameters(), {**parameters(has_agent=True), "acquired": 2.0}) == [
        f"{SAID}, no contrast agent stated",
        f"{SAID}, after a contrast agent",
    ]


def test_what_differs_in_nothing_else_is_told_by_which_was_acquired_first_but_not_when() -> None:
    assert told_apart({"acquired": 20240102131415.0, "series_number": 4}, {"acquired": 20240102101112.0}) == [
        f"{SAID}, acquired second",
        f"{SAID}, acquired first",
    ]


def test_very_many_are_told_by_their_place_in_time_in_figures() -> None:
    told = told_apart(*({"acquired": 1.0 + number} for number in range(9)))

    assert told[-2:] == [f"{SAID}, acquired eighth", f"{SAID}, acquired as number 9"]


@pytest.mark.parametrize("times", [(None, 1.0), (1.0, 1.0), (None, None)], ids=str)
def test_where_the_order_in_time_is_not_known_the_number_of_the_series_tells(times: Any) -> None:
    one, other = ({"acquired": time, "series_number": 4 + k} for k, time in enumerate(times))

    assert told_apart(one, other) == [f"{SAID}, series 4", f"{SAID}, series 5"]


@pytest.mark.parametrize("numbers", [(None, 1), (1, 1)], ids=str)
def test_where_no_number_of_a_series_tells_they_are_counted(numbers: Any) -> None:
    one, other = ({"series_number": number} for number in numbers)

    assert told_apart(one, other) == [f"{SAID}, number 1 of 2 such", f"{SAID}, number 2 of 2 such"]


def test_of_what_has_the_same_facts_the_order_is_told_too() -> None:
    one, other = ({"acquired": time, "gap_mm": 2.0} for time in (1.0, 2.0))

    assert told_apart(one, {}, other) == [
        f"{SAID}, a slice every 2 mm, acquired first",
        f"{SAID}, a slice every 1 mm",
        f"{SAID}, a slice every 2 mm, acquired second",
    ]


def test_what_is_described_differently_already_gets_no_more_words() -> None:
    assert told_apart({}, {"echo_time_ms": 30.0, "gap_mm": 2.0}) == [SAID, f"{SAID}, echo time 30 ms"]


def test_of_what_nothing_is_known_there_are_only_numbers() -> None:
    unknown: list[Stack | None] = [None, None]

    assert distinguished(["a series"] * 2, unknown) == [
        "a series, number 1 of 2 such",
        "a series, number 2 of 2 such",
    ]


def test_single_images_have_no_gap() -> None:
    assert told_apart({"gap_mm": 1.0}, {"gap_mm": 2.0}, n=1) == [
        "1 axial image of 8 x 9, number 1 of 2 such",
        "1 axial image of 8 x 9, number 2 of 2 such",
    ]
