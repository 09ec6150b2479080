"""What may vary from slice to slice of one volume: times with gating, rounding, words of filters."""

import pytest

from disyre.errors import IrregularSlices
from tests.dicom_stacks import changed, echo, find, gated, make_stack, moved, orders, said


@pytest.mark.parametrize(
    ("name", "low", "high", "warning"),
    [
        ("tr_ms", 780, 920, "repetition time varies from 780 to 920 ms between the slices, as with gating"),
        ("ti_ms", 550, 606, "inversion time varies from 550 to 606 ms between the slices, as with gating"),
        ("flip_deg", 120, 148, "flip angle varies from 120 to 148 degrees between the slices"),
    ],
)
def test_what_gating_lets_vary_from_slice_to_slice_is_one_volume(
    name: str, low: float, high: float, warning: str
) -> None:
    for shuffled in orders(gated(24, name, low, high)):
        stack, warnings = find(shuffled)

        assert len(stack) == 24
        assert warnings == [warning]


def test_two_numbers_may_vary_at_once() -> None:
    slices = [
        moved(image, (0, 0, 0), sequence=said(tr_ms=780.0 + 7 * (k * 7 % 20), ti_ms=300.0 + 4 * k))
        for k, image in enumerate(make_stack(20, gap_mm=3.0))
    ]

    stack, warnings = find(slices)

    assert len(stack) == 20
    assert warnings == [
        "repetition time varies from 780 to 913 ms and inversion time varies from 300 to 376 ms between the "
        "slices, as with gating"
    ]


def test_a_slice_that_is_missing_in_a_gated_series_is_called_missing() -> None:
    slices = gated(24, "tr_ms", 780, 920)
    del slices[7]

    with pytest.raises(IrregularSlices, match="1 slice is missing: 1 after slice 7 of 23"):
        find(slices)


def test_values_that_are_further_apart_than_a_third_are_no_gating() -> None:
    with pytest.raises(IrregularSlices, match="10 differ from the others in repetition time"):
        find(changed(make_stack(20, sequence=said()), [*range(0, 20, 2)], sequence=said(tr_ms=900.0)))


def test_an_echo_time_that_is_rounded_otherwise_in_every_second_slice_is_one_volume() -> None:
    stack, warnings = find(changed(echo(10.0), [*range(0, 20, 2)], echo_time_ms=10.4))

    assert len(stack) == 20
    assert warnings == ["echo time varies from 10 to 10.4 ms between the slices"]


@pytest.mark.parametrize("places", [[*range(0, 20, 2)], [3], [*range(10)], [0, 19]])
def test_words_of_filters_on_some_images_make_no_volumes_of_them(places: list[int]) -> None:
    slices = changed(echo(10.0, image_type=("M", "DIS2D")), places, image_type=("M", "NORM", "DIS2D"))

    for shuffled in orders(slices):
        stack, warnings = find(shuffled)

        assert len(stack) == 20
        assert warnings == [f"the images differ in ImageType: NORM in {len(places)} of 20"]


def test_a_contrast_agent_that_only_some_images_state_is_told() -> None:
    slices = changed(echo(10.0), [*range(12, 20)], sequence=said(has_agent=True))

    stack, warnings = find(slices)

    assert len(stack) == 20
    assert warnings == ["8 of 20 images state a contrast agent, the others none"]


@pytest.mark.parametrize("word", ["P", "ADC", "NORM"])
def test_words_that_say_what_an_image_shows_do_make_volumes(word: str) -> None:
    slices = changed(make_stack(20, image_type=("M", "ND")), [*range(0, 20, 2)], image_type=(word, "ND"))

    with pytest.raises(IrregularSlices, match="10 differ from the others in kind of image"):
        find(slices)


@pytest.mark.parametrize(("low", "high", "is_one"), [(780, 920, True), (300, 9000, False)])
def test_a_repetition_time_of_its_own_in_each_of_many_slices_is_one_volume_or_named(
    low: float, high: float, is_one: bool
) -> None:
    slices = gated(384, "tr_ms", low, high)
    if is_one:
        assert len(find(slices)[0]) == 384
    else:
        with pytest.raises(IrregularSlices, match=r"384 images that lie evenly.*repetition time"):
            find(slices)
