"""What some images of a series do not say, and the volume that they are slices of all the same."""

from typing import Any

import pytest

from disyre.errors import InvalidInput, MultipleVolumes
from disyre.kinds import split
from disyre.merging import merged
from tests.dicom_stacks import SAID, changed, echo, find, gated, make_stack, moved, orders, said

MISSING: dict[str, dict[str, Any]] = {
    "echo time": {"echo_time_ms": None},
    "kind of image (ImageType)": {"image_type": ()},
    "time (TemporalPosition)": {"temporal_position": None},
    "frame of reference": {"frame_of_reference": ""},
    "repetition time": {"sequence": said(tr_ms=None)},
    "inversion time": {"sequence": said(ti_ms=None)},
    "flip angle": {"sequence": said(flip_deg=None)},
    "b-value": {"sequence": said(b_value=None)},
}


@pytest.mark.parametrize(
    "places", [[5], [0], [19], [0, 19], [*range(0, 20, 3)], [*range(10)], [*range(1, 20)]]
)
@pytest.mark.parametrize("name", MISSING)
def test_what_some_images_do_not_say_may_be_anything(name: str, places: list[int]) -> None:
    slices = changed(make_stack(20, gap_mm=3.0, **SAID), places, **MISSING[name])

    for shuffled in orders(slices):
        stack, warnings = find(shuffled)

        assert [image.number for image in stack] == list(range(20))
        assert len(warnings) == 1
        assert f"{len(places)} of 20 images do" in warnings[0]
        assert f"not state the {name} that the others do" in warnings[0]


def test_each_image_may_be_silent_on_something_else() -> None:
    slices = make_stack(20, gap_mm=3.0, **SAID)
    for k, changes in enumerate(MISSING.values()):
        slices[2 * k] = moved(slices[2 * k], (0, 0, 0), **changes)

    for shuffled in orders(slices):
        assert len(find(shuffled)[0]) == 20


def test_a_b_value_that_is_not_stated_beside_one_of_0_is_no_news() -> None:
    slices = changed(make_stack(20, sequence=said(b_value=0.0)), [3, 4], sequence=said(b_value=None))

    assert find(slices)[1] == []


def test_an_image_that_does_not_say_its_echo_is_of_the_one_where_its_place_is_free() -> None:
    slices = [*echo(10.0), *changed(echo(80.0), [7], echo_time_ms=None)]

    for shuffled in orders(slices):
        found = merged(split(shuffled, most=100))
        assert sorted(len(stack) for stack in found) == [20, 20]
        assert all(len({image.pixels.split()[0] for image in stack}) == 1 for stack in found)


def test_images_of_two_echoes_that_do_not_say_so_go_each_to_its_own() -> None:
    slices = [*changed(echo(10.0), [3], echo_time_ms=None), *changed(echo(80.0), [7, 9], echo_time_ms=None)]

    for shuffled in orders(slices):
        found = merged(split(shuffled, most=100))
        assert sorted(len(stack) for stack in found) == [20, 20]
        assert all(len({image.pixels.split()[0] for image in stack}) == 1 for stack in found)


@pytest.mark.parametrize("places", [([5], [5]), ([3, 5], [5, 7])])
def test_an_image_that_may_be_of_two_echoes_is_of_none(places: tuple[list[int], list[int]]) -> None:
    one, other = (
        changed(echo(te), free, echo_time_ms=None) for te, free in zip((10.0, 80.0), places, strict=True)
    )

    for shuffled in orders([*one, *(image for k, image in enumerate(other) if k != 5)]):
        with pytest.raises(InvalidInput):
            find(shuffled)


def test_an_echo_that_is_not_stated_does_not_fill_the_holes_of_another() -> None:
    with_hole = echo(10.0)
    del with_hole[5]

    for shuffled in orders([*with_hole, *echo(None)]):
        with pytest.raises(MultipleVolumes):
            find(shuffled)


def test_localizers_do_not_go_with_images_that_do_not_say_their_kind() -> None:
    slices = changed(make_stack(48, gap_mm=3.0), [45, 46, 47], image_type=("LOCALIZER",))

    stack, warnings = find(slices)

    assert len(stack) == 45
    assert "left out" in warnings[0]


def test_a_gated_slice_that_does_not_say_its_time_is_one_of_the_volume() -> None:
    for shuffled in orders(changed(gated(24, "tr_ms", 780, 920), [4, 23], sequence=said(tr_ms=None))):
        assert len(find(shuffled)[0]) == 24
