"""Images that differ from a volume and lie where its slices go on."""

from typing import Any

import numpy as np
import pytest

from disyre import stacks
from disyre.continuation import continuing
from disyre.difference import differences
from disyre.errors import IrregularSlices, MultipleVolumes
from disyre.sequence_parameters import SequenceParameters
from disyre.stacks import Stack
from tests.dicom_stacks import AXIAL, SAGITTAL, find, make_stack, moved


def tilted(deg: float) -> stacks.Vector:
    """Axial, turned about the rows."""
    angle = np.radians(deg)
    return np.array([1.0, 0, 0, 0, np.cos(angle), np.sin(angle)])


def with_end(n: int, n_end: int, **changes: Any) -> Stack:
    """A stack of which the last images differ."""
    whole = make_stack(
        n,
        gap_mm=3.0,
        echo_time_ms=10.0,
        temporal_position=1.0,
        image_type=("M",),
        sequence=SequenceParameters(tr_ms=500.0, ti_ms=100.0),
    )
    return [*whole[: n - n_end], *(moved(image, (0, 0, 0), **changes) for image in whole[n - n_end :])]


@pytest.mark.parametrize(
    ("n_end", "changes", "words"),
    [
        (8, {"echo_time_ms": 80.0}, r"echo time \(80 ms against 10 ms\)"),
        (1, {"echo_time_ms": 80.0}, "1 image that lies where a stack of 47 images goes on"),
        (1, {"orientation": tilted(0.5)}, "turned by 0.5 degrees"),
        (3, {"orientation": tilted(3)}, "turned by 3 degrees"),
        (11, {"orientation": -AXIAL}, "orientation .rows and columns run the other way"),
        (24, {"orientation": -AXIAL}, "24 images that lie where a stack of 24 images goes on"),
        (24, {"echo_time_ms": 80.0}, "echo time"),
        (24, {"sequence": SequenceParameters(tr_ms=4000)}, r"repetition time \(4000 ms against 500 ms\)"),
        (5, {"sequence": SequenceParameters(ti_ms=900)}, r"inversion time \(900 ms against 100 ms\)"),
        (5, {"image_type": ("NORM",)}, "kind of image"),
        (5, {"temporal_position": 2.0}, "time"),
        (5, {"frame_of_reference": "2"}, "frame of reference"),
        (5, {"spacing_mm": (1.0, 1.001)}, "size of pixels"),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_flipped", [False, True])
def test_the_end_of_a_stack_that_differs_is_no_localizer(
    n_end: int, changes: dict[str, Any], words: str, is_flipped: bool
) -> None:
    slices = with_end(48, n_end, **changes)
    if is_flipped:
        slices = [moved(image, (0, 0, -2 * image.position[2])) for image in slices]

    with pytest.raises(IrregularSlices, match=words):
        find(slices)


@pytest.mark.parametrize(("n_end", "is_advised"), [(3, True), (24, False)])
def test_nobody_is_told_to_send_half_of_a_head(n_end: int, is_advised: bool) -> None:
    with pytest.raises(IrregularSlices) as refused:
        find(with_end(48, n_end, echo_time_ms=80.0))

    assert ("send the others alone" in str(refused.value)) == is_advised


def test_both_ends_and_ends_in_pieces_are_seen() -> None:
    slices = make_stack(48)
    for number, place in enumerate((0, 45, 46, 47)):
        slices[place] = moved(slices[place], (0, 0, 0), echo_time_ms=10.0 * (number + 1))

    with pytest.raises(IrregularSlices, match="4 images that lie where a stack of 44 images goes on"):
        find(slices)


def test_the_end_of_a_stack_under_another_series_is_no_localizer_either() -> None:
    """Some exports give the end of an acquisition a SeriesInstanceUID of its own."""
    slices = with_end(48, 3, series="other")

    with pytest.raises(IrregularSlices, match=r"45 images goes on in another series .* .3 images."):
        find(slices)


def test_an_image_that_is_turned_about_its_centre_is_seen_too() -> None:
    slices = with_end(48, 1, orientation=tilted(3))
    slices[-1] = moved(slices[-1], (0, 0, -4 * np.sin(np.radians(3))))

    with pytest.raises(IrregularSlices):
        find(slices)


@pytest.mark.parametrize(
    "changes",
    [
        {"orientation": SAGITTAL},
        {"image_type": ("LOCALIZER",)},
        {"image_type": ("PROJECTION IMAGE",)},
        {"series": "2", "echo_time_ms": 80.0},
        {"series": "2", "frame_of_reference": "2"},
        {"orientation": tilted(20)},
    ],
    ids=str,
)
def test_a_true_localizer_is_left_out(changes: dict[str, Any]) -> None:
    stack, warnings = find(with_end(48, 3, **changes))

    assert len(stack) == 45
    assert len(warnings) == 1
    assert "left out, as not part of the volume" in warnings[0]


@pytest.mark.parametrize(
    "changes", [{"shape": (16, 16)}, {"spacing_mm": (2.0, 2.0)}, {"study": "2"}], ids=str
)
@pytest.mark.parametrize(("n_end", "by"), [(3, 1.2), (1, 30.0), (3, -60.5)])
def test_images_of_another_size_that_do_not_lie_as_the_next_slices_would_are_a_localizer(
    changes: dict[str, Any], n_end: int, by: float
) -> None:
    slices = with_end(48, n_end, **changes)
    beside = [moved(image, (0, 0, by)) for image in slices[-n_end:]]

    stack, warnings = find([*slices[:-n_end], *beside])

    assert len(stack) == 48 - n_end
    assert "left out, as not part of the volume" in warnings[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": (8, 8)}, "size .8 x 8 against"),
        ({"spacing_mm": (1.2, 1.2)}, "size of pixels"),
        ({"study": "2"}, "StudyInstanceUID"),
    ],
    ids=str,
)
@pytest.mark.parametrize("n_end", [1, 9, 24])
def test_the_end_of_a_stack_with_another_size_or_study_is_no_localizer(
    changes: dict[str, Any], words: str, n_end: int
) -> None:
    with pytest.raises(IrregularSlices, match=rf"{n_end} image.* goes on differ.* from them in .*{words}"):
        find(with_end(48, n_end, **changes))


@pytest.mark.parametrize("by", [(0, 0, -10.0), (0, 0, 30.0), (6.0, 0, 0)], ids=["inside", "far", "aside"])
def test_what_overlaps_or_lies_elsewhere_is_left_out(by: tuple[float, float, float]) -> None:
    slices = with_end(48, 2, echo_time_ms=80.0)

    stack, warnings = find([*slices[:46], *(moved(image, by) for image in slices[46:])])

    assert (len(stack), len(warnings)) == (46, 1)


TR: dict[str, Any] = {"sequence": SequenceParameters(tr_ms=4000)}


@pytest.mark.parametrize(("n_shared", "n_beyond"), [(1, 3), (3, 3), (4, 1), (8, 2)], ids=str)
@pytest.mark.parametrize("is_flipped", [False, True])
def test_a_few_images_that_overlap_a_stack_and_go_on_beyond_its_end_are_slices_of_it(
    n_shared: int, n_beyond: int, is_flipped: bool
) -> None:
    whole = make_stack(40 + n_beyond, gap_mm=3.0)
    slices = [*whole[:40], *(moved(image, (0, 0, 0), **TR) for image in whole[40 - n_shared :])]
    if is_flipped:
        slices = [moved(image, (0, 0, -2 * image.position[2])) for image in slices]

    n = n_shared + n_beyond
    with pytest.raises(IrregularSlices, match=rf"{n} images .* goes on .* repetition time .4000 ms"):
        find(slices)


def test_images_far_apart_that_reach_over_an_end_are_a_localizer() -> None:
    scout = [moved(image, (0, 0, 98.0), **TR) for image in make_stack(3, gap_mm=12.0)]

    stack, warnings = find([*make_stack(40, gap_mm=3.0), *scout])

    assert (len(stack), len(warnings)) == (40, 1)


@pytest.mark.parametrize("by", [0, 2, 12])
def test_another_volume_at_about_the_same_places_is_no_end_of_the_first(by: int) -> None:
    other = [moved(image, (0, 0, 3.0 * by), **TR) for image in make_stack(40, gap_mm=3.0)]

    with pytest.raises(MultipleVolumes):
        find([*make_stack(40, gap_mm=3.0), *other])


def test_echoes_at_the_same_places_are_several_volumes() -> None:
    with pytest.raises(MultipleVolumes):
        find(make_stack() + make_stack(echo_time_ms=30.0))


@pytest.mark.parametrize("orientation", [-AXIAL, SAGITTAL, tilted(30)], ids=str)
def test_images_with_one_place_have_no_stack_that_could_go_on(orientation: stacks.Vector) -> None:
    with pytest.raises(MultipleVolumes):
        find([*make_stack(1), *make_stack(1, orientation=orientation)])


def test_nothing_differs_between_images_of_one_volume() -> None:
    first, second = make_stack(2)

    assert differences(first, second) == []


def test_all_that_differs_is_named() -> None:
    (image,) = make_stack(1)
    (other,) = make_stack(1, series="2", shape=(9, 9), orientation=SAGITTAL)

    assert differences(image, other) == [
        "series (SeriesInstanceUID)",
        "size (8 x 9 against 9 x 9 pixels)",
        "orientation (turned by 120 degrees, ImageOrientationPatient)",
    ]


def test_what_continues_in_very_many_pieces_is_not_looked_for_without_end() -> None:
    first, *pieces = (make_stack(4), *([image] for image in make_stack(250)[4:]))

    found = continuing(first, pieces)

    assert 50 <= len(found) < 200
