"""Series of a study that are parts of one stack."""

import re
from typing import Any

import pytest

from disyre import series
from disyre.admission import ignore
from disyre.errors import IrregularSlices, MultipleVolumes
from disyre.seam import seams
from disyre.sequence_parameters import SequenceParameters
from disyre.series import Images
from disyre.stacks import Stack
from disyre.wholeness import broken
from tests.dicom_stacks import SAGITTAL, make_stack, moved

GAP_MM = 3.0


def in_series(slices: Stack, names: str, **changes: Any) -> Stack:
    """The images of a stack, each in the series of its letter."""
    return [
        moved(image, (0, 0, 0), series=name, **changes) for image, name in zip(slices, names, strict=True)
    ]


def by_series(slices: Stack) -> list[Stack]:
    """The stacks of the series, the largest first."""
    found = [[image for image in slices if image.series == name] for name in {s.series: 0 for s in slices}]
    return sorted(found, key=len, reverse=True)


HALVES, ALTERNATE, THIRDS, EVERY_THIRD = (
    "a" * 10 + "b" * 10,
    "ab" * 10,
    "a" * 8 + "b" * 6 + "c" * 6,
    "abc" * 7,
)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (HALVES, "10 images goes on in another series of the study .10 images."),
        (ALTERNATE, "10 images has slices between these in another series of the study .10 images."),
        ("a" * 17 + "b" * 3, "17 images goes on in another series of the study .3 images."),
        (THIRDS, "8 images goes on in 2 other series of the study .12 images.; they differ"),
        (EVERY_THIRD, "7 images has slices between these in 2 other series"),
        ("aabab" * 4, "12 images has slices between these in another series"),
    ],
)
@pytest.mark.parametrize("thickness_mm", [None, GAP_MM])
def test_a_stack_in_several_series_is_no_volume_in_any_of_them(
    names: str, words: str, thickness_mm: float | None
) -> None:
    slices = in_series(make_stack(len(names), gap_mm=GAP_MM, thickness_mm=thickness_mm), names)
    stacks = by_series(slices)

    assert sorted(seams(stacks)) == [*range(len(stacks))]
    with pytest.raises(IrregularSlices, match=f"{words}.*option series_uid"):
        series.find_volume(Images(slices), lambda warning: None)


def test_the_order_in_which_series_came_does_not_matter() -> None:
    slices = in_series(make_stack(20, gap_mm=GAP_MM), "a" * 19 + "b")

    assert sorted(seams(by_series(slices)[::-1])) == [0, 1]


def test_a_series_that_is_picked_on_purpose_is_taken_with_a_warning() -> None:
    slices = in_series(make_stack(20, gap_mm=GAP_MM), HALVES)
    warnings: list[str] = []

    stack = series.find_volume(Images(slices), warnings.append, series="b")

    assert [image.series for image in stack] == ["b"] * 10
    assert warnings == [
        "the stack of this series, with 10 images, goes on in another series of the study (10 images): it "
        "was picked alone, and a part of the head may be missing"
    ]


@pytest.mark.parametrize(
    "changes", [{"shape": (9, 9)}, {"echo_time_ms": 30.0}, {"study": "2"}, {"orientation": SAGITTAL}], ids=str
)
def test_a_series_that_differs_in_more_is_no_part_of_another(changes: dict[str, Any]) -> None:
    slices = in_series(make_stack(20, gap_mm=GAP_MM), HALVES)
    slices[10:] = in_series(slices[10:], "b" * 10, **changes)
    warnings: list[str] = []

    assert seams(by_series(slices)) == {}
    assert len(series.find_volume(Images(slices), warnings.append, series="a")) == 10
    assert not any("goes on" in warning for warning in warnings)


@pytest.mark.parametrize("by", [0, 2, 10, 100])
def test_two_runs_of_a_sequence_are_two_volumes(by: int) -> None:
    run = [moved(image, (0, 0, by * GAP_MM), series="2") for image in make_stack(20, gap_mm=GAP_MM)]
    slices = [*make_stack(20, gap_mm=GAP_MM), *run]

    assert seams(by_series(slices)) == {}
    with pytest.raises(MultipleVolumes):
        series.find_volume(Images(slices), lambda warning: None)


@pytest.mark.parametrize(
    ("facts", "is_one"),
    [
        ({"thickness_mm": 6.0}, False),
        ({"thickness_mm": 6.0, "gap_stated_mm": 6.0}, False),
        ({"thickness_mm": 6.0, "gap_stated_mm": 3.0}, True),
        ({"thickness_mm": 2.5}, True),
    ],
    ids=str,
)
def test_two_whole_stacks_of_thick_slices_may_lie_between_each_other(
    facts: dict[str, Any], is_one: bool
) -> None:
    stacks = by_series(in_series(make_stack(20, gap_mm=GAP_MM, **facts), ALTERNATE))

    assert bool(seams(stacks)) is is_one


def test_several_runs_of_half_a_head_are_all_parts_of_it() -> None:
    whole = make_stack(20, gap_mm=GAP_MM)
    stacks = [*by_series(in_series(whole, HALVES)), *by_series(in_series(whole, HALVES.replace("b", "c")))]
    stacks[2] = in_series(stacks[2], "d" * 10)

    assert sorted(seams(stacks)) == [0, 1, 2, 3]
    assert seams(stacks)[0].n_series == 2


def test_single_images_of_a_series_each_are_not_looked_at() -> None:
    assert seams([[image] for image in in_series(make_stack(8), "abcdefgh")]) == {}


VARIED: list[tuple[dict[str, Any], str]] = [
    ({"image_type": ("M", "ND", "NORM")}, "ImageType"),
    ({"sequence": SequenceParameters(tr_ms=600)}, r"repetition time \([56][05]0 ms against [56][05]0 ms\)"),
    ({"echo_time_ms": 10.4}, r"echo time \(10.* ms against 10.* ms\)"),
]
FACTS: dict[str, Any] = {
    "image_type": ("M", "ND"),
    "sequence": SequenceParameters(tr_ms=550),
    "echo_time_ms": 10.0,
}


@pytest.mark.parametrize("names", ["a" * 38 + "b" * 10, "a" * 47 + "b", "a" * 45 + "bbb", "aaab" * 12])
@pytest.mark.parametrize(("changes", "words"), VARIED, ids=["filter", "TR", "TE"])
def test_a_stack_in_two_series_may_vary_as_slices_of_one_volume_do(
    names: str, changes: dict[str, Any], words: str
) -> None:
    slices = in_series(make_stack(48, gap_mm=GAP_MM, **FACTS), names)
    slices = [moved(image, (0, 0, 0), **(changes if image.series == "b" else {})) for image in slices]
    found = seams(by_series(slices))

    assert sorted(found) == [0, 1]
    for seam in found.values():
        assert re.search(
            f"differs in .*{words}.*, as slices of one stack may, and in the Ser", str(seam.error)
        )
    with pytest.raises(IrregularSlices, match="pick it with the option series_uid"):
        series.find_volume(Images(slices), ignore)


@pytest.mark.parametrize(("changes", "words"), VARIED, ids=["filter", "TR", "TE"])
def test_a_varying_part_that_is_picked_on_purpose_is_taken_with_a_warning(
    changes: dict[str, Any], words: str
) -> None:
    slices = in_series(make_stack(48, gap_mm=GAP_MM, **FACTS), "a" * 38 + "b" * 10)
    slices[38:] = [moved(image, (0, 0, 0), **changes) for image in slices[38:]]
    warnings: list[str] = []

    assert len(series.find_volume(Images(slices), warnings.append, series="a")) == 38
    assert "goes on in another series of the study (10 images)" in warnings[-1]


@pytest.mark.parametrize(("changes", "words"), VARIED, ids=["filter", "TR", "TE"])
def test_copies_of_a_volume_in_two_series_stay_two_volumes(changes: dict[str, Any], words: str) -> None:
    copies = [
        make_stack(20, gap_mm=GAP_MM, **FACTS),
        make_stack(20, gap_mm=GAP_MM, **{**FACTS, "series": "2", **changes}),
    ]

    assert seams(copies) == {}
    with pytest.raises(MultipleVolumes):
        series.find_volume(Images([*copies[0], *copies[1]]), ignore)


def test_what_is_not_stated_keeps_series_apart() -> None:
    slices = in_series(make_stack(20, gap_mm=GAP_MM, **FACTS), HALVES)
    slices = [
        moved(image, (0, 0, 0), echo_time_ms=None) if image.series == "b" else image for image in slices
    ]

    assert seams(by_series(slices)) == {}


@pytest.mark.parametrize("changes", [{}, {"image_type": ("NORM",)}], ids=str)
@pytest.mark.parametrize(
    "said",
    [{"thickness_mm": GAP_MM}, {"gap_stated_mm": GAP_MM}, {"thickness_mm": GAP_MM, "gap_stated_mm": GAP_MM}],
    ids=str,
)
def test_whole_stacks_of_which_one_lies_between_the_slices_of_another_are_two_volumes(
    changes: dict[str, Any], said: dict[str, Any]
) -> None:
    one = make_stack(20, gap_mm=GAP_MM, **said)
    other = [moved(image, (0, 0, GAP_MM / 2), series="2", **changes) for image in one]

    assert broken([one, other]) == {}


def test_a_stack_goes_on_over_series_of_single_images() -> None:
    slices = in_series(make_stack(28, gap_mm=GAP_MM), "a" * 20 + "bcdefghi")
    found = seams(by_series(slices))

    assert sorted(found) == [*range(9)]
    assert "that of 20 images goes on in 8 other series of the study (8 images)" in str(found[0].error)
    assert "series_uid" in str(found[0].error)
    assert "series_uid" not in str(found[1].error)
