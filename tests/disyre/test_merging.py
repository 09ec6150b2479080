"""Images of one series that stay volumes of their own, and how much work it is to see that."""

from typing import Any

import pytest

from disyre.errors import MultipleVolumes, TooFewSlices
from disyre.kinds import split
from disyre.merging import merged
from disyre.stacks import Slice
from tests.dicom_stacks import changed, echo, find, gated, make_stack, moved, orders, said


@pytest.mark.parametrize("other", [None, 80.0])
def test_two_echoes_at_the_same_places_stay_two_whatever_one_of_them_says(other: float | None) -> None:
    for shuffled in orders([*echo(10.0), *echo(other)]):
        with pytest.raises(MultipleVolumes, match=r"got 2: 20 axial .*; 20 axial"):
            find(shuffled)


def test_pieces_that_do_not_lie_together_where_they_would_go_are_left_alone() -> None:
    """Each of two images fits alone, at the end of one of two echoes, and both together do not."""
    one, other = echo(10.0, 8), [moved(image, (0, 0, 60.0)) for image in echo(80.0, 8)]
    between = [moved(echo(None, 1)[0], (0, 0, z), pixels=str(z).encode()) for z in (24.0, 25.5, 54.0)]

    found = merged(split([*one, *other, *between], most=100))

    assert sorted(len(stack) for stack in found) == [3, 8, 8]


def test_a_few_images_that_all_say_something_else_are_too_few() -> None:
    with pytest.raises(TooFewSlices, match="got 2"):
        find(changed(make_stack(2), [1], echo_time_ms=5.0))


@pytest.mark.parametrize("others", [(600.0,), (550.0, 600.0, 650.0)])
def test_volumes_at_the_same_places_stay_apart_though_their_parameters_are_near(
    others: tuple[float, ...],
) -> None:
    slices = [*echo(10.0), *(image for tr in others for image in echo(10.0, sequence=said(tr_ms=tr)))]

    with pytest.raises(MultipleVolumes, match=f"got {len(others) + 1}"):
        find(slices)


def test_gated_echoes_at_the_same_places_are_two_volumes() -> None:
    slices = [
        moved(image, (0, 0, 0), echo_time_ms=te, pixels=f"{te} {k}".encode())
        for te in (9.0, 80.0)
        for k, image in enumerate(gated(24, "tr_ms", 780, 920))
    ]

    with pytest.raises(
        MultipleVolumes, match=r"got 2: 24 axial .*echo time 9 ms; 24 axial .*echo time 80 ms"
    ):
        find(slices)


def test_echoes_that_are_a_little_apart_at_the_same_places_are_two_volumes() -> None:
    with pytest.raises(MultipleVolumes, match="got 2"):
        find([*echo(10.0), *echo(10.4)])


def test_images_with_and_without_a_filter_at_the_same_places_are_two_volumes() -> None:
    with pytest.raises(MultipleVolumes, match="got 2"):
        find([*echo(10.0, image_type=("M", "ND")), *echo(10.1, image_type=("M", "NORM"))])


def test_the_work_does_not_grow_as_the_square_of_the_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Slice] = []
    is_with = Slice.is_with

    def counted(image: Slice, other: Slice, *options: Any) -> bool:
        asked.append(other)
        return is_with(image, other, *options)

    monkeypatch.setattr(Slice, "is_with", counted)

    merged(split(gated(384, "tr_ms", 780, 920), most=100))

    assert len(asked) < 10 * 384
