"""Series that are alike and show different parts of a head."""

from typing import Any

import numpy as np
import pytest

from disyre import series
from disyre.coverage import partial
from disyre.sequence_parameters import SequenceParameters
from disyre.series import Images
from disyre.stacks import Stack
from tests.dicom_stacks import SAGITTAL, make_stack, moved

GAP_MM = 3.0
FACTS: dict[str, Any] = {"echo_time_ms": 10.0, "sequence": SequenceParameters(tr_ms=500, flip_deg=90)}


def slab(name: str, first: int, last: int, **changes: Any) -> Stack:
    """Slices of one head, from one to before another, as a series of their own."""
    whole = make_stack(48, gap_mm=GAP_MM, **{**FACTS, **changes})
    return [moved(image, (0, 0, 0), series=name) for image in whole[first:last]]


@pytest.mark.parametrize(
    "other",
    [
        slab("2", 26, 48),
        slab("2", 18, 48),
        slab("2", 24, 48, frame_of_reference="9"),
        slab("2", 24, 48, study="9"),
        slab("2", 24, 48, sequence=SequenceParameters(tr_ms=500)),
        slab("2", 24, 48)[::-1],
    ],
    ids=[
        "slices lost between",
        "half of it twice",
        "frame of reference",
        "study",
        "angle unsaid",
        "reversed",
    ],
)
def test_two_parts_of_a_head_are_told_apart_from_two_heads(other: Stack) -> None:
    found = partial([slab("1", 0, 24), other])

    assert sorted(found) == [0, 1]
    assert found[0].startswith("a series of 24 images covers 69 mm, and 141 mm together with another that")
    assert f"({len(other)} images)" in found[0]


def test_of_a_scan_and_a_part_of_it_the_part_is_told() -> None:
    assert list(partial([slab("1", 0, 48), slab("2", 0, 30)])) == [1]


@pytest.mark.parametrize(
    "changes",
    [
        {"echo_time_ms": 90.0},
        {"sequence": SequenceParameters(tr_ms=3000, flip_deg=90)},
        {"sequence": SequenceParameters(tr_ms=500, flip_deg=90, has_agent=True)},
        {"shape": (64, 64)},
        {"patient": "2"},
        {"image_type": ("LOCALIZER",)},
        {"orientation": SAGITTAL},
    ],
    ids=str,
)
def test_what_is_not_alike_may_cover_another_part(changes: dict[str, Any]) -> None:
    assert partial([slab("1", 0, 48), slab("2", 0, 30, **changes)]) == {}


@pytest.mark.parametrize("by_mm", [(0, 0, 0), (5, 5, 10), (0, 0, -20)], ids=str)
def test_a_head_that_was_moved_between_two_scans_is_whole(by_mm: tuple[float, float, float]) -> None:
    again = [moved(image, by_mm) for image in slab("2", 0, 48, study="2", frame_of_reference="2")]

    assert partial([slab("1", 0, 48), again]) == {}


def test_a_head_that_was_turned_between_two_scans_is_whole() -> None:
    turn = np.radians(3.0)
    turned = np.array([1.0, 0, 0, 0, np.cos(turn), np.sin(turn)])

    assert partial([slab("1", 0, 48), slab("2", 0, 48, study="2", orientation=turned)]) == {}


def test_parts_of_one_series_are_no_matter_of_other_series() -> None:
    assert partial([slab("1", 0, 24), slab("1", 26, 48)]) == {}


def test_of_those_like_a_part_only_those_count_that_show_more() -> None:
    found = partial([slab("1", 0, 24), slab("2", 0, 24), slab("3", 4, 20), slab("4", 30, 33)])

    assert "covers 69 mm, and 96 mm together with another that is like it (3 images)" in found[0]
    assert "together with another that is like it (3 images)" in found[1]
    assert "together with 3 others that are like it (67 images)" not in found[2]
    assert "together with 3 others that are like it (51 images)" in found[2]


def test_images_that_are_of_one_series_are_no_others() -> None:
    assert list(partial([slab("1", 0, 24), slab("1", 30, 48), slab("2", 0, 24)])) == [1, 2]


def test_a_part_that_is_picked_on_purpose_is_taken_with_a_warning() -> None:
    warnings: list[str] = []
    images = Images([*slab("1", 0, 24), *slab("2", 26, 48)])

    stack = series.find_volume(images, warnings.append, series="2")

    assert [image.series for image in stack] == ["2"] * 22
    assert warnings == [
        "a series of 22 images covers 63 mm, and 141 mm together with another that is like it (24 images): "
        "if they are parts of one scan, each shows a part of the head only, and slices may be missing "
        "between them"
    ]
