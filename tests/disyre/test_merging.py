"""Images of one series that do not all say the same and are slices of one volume, or of several."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from disyre import series, stacks
from disyre.errors import InvalidInput, IrregularSlices, MultipleVolumes, TooFewSlices
from disyre.kinds import split
from disyre.merging import merged
from disyre.sequence_parameters import SequenceParameters
from disyre.series import Images
from disyre.stacks import Slice, Stack
from tests.dicom_stacks import AXIAL, make_stack, moved

SAID: dict[str, Any] = {
    "echo_time_ms": 10.0,
    "image_type": ("M", "ND"),
    "temporal_position": 1.0,
    "sequence": SequenceParameters(tr_ms=500.0, ti_ms=100.0, flip_deg=90.0, b_value=1000.0),
}


def find(slices: Stack) -> tuple[Stack, list[str]]:
    warnings: list[str] = []
    return series.find_volume(Images(slices), warnings.append), warnings


def orders(slices: Stack) -> Iterator[Stack]:
    """The same images in several orders."""
    yield slices
    yield slices[::-1]
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(slices))
        yield [slices[k] for k in order]


def changed(slices: Stack, places: list[int], **changes: Any) -> Stack:
    return [moved(image, (0, 0, 0), **changes) if k in places else image for k, image in enumerate(slices)]


def echo(te_ms: float | None, n: int = 20, **changes: Any) -> Stack:
    """A stack with pixels of its own."""
    return [
        moved(image, (0, 0, 0), pixels=f"{te_ms} {k}".encode())
        for k, image in enumerate(make_stack(n, gap_mm=3.0, **(SAID | {"echo_time_ms": te_ms} | changes)))
    ]


def said(**changes: Any) -> SequenceParameters:
    return SequenceParameters(
        **({"tr_ms": 500.0, "ti_ms": 100.0, "flip_deg": 90.0, "b_value": 1000.0} | changes)
    )


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


@pytest.mark.parametrize("other", [None, 80.0])
def test_two_echoes_at_the_same_places_stay_two_whatever_one_of_them_says(other: float | None) -> None:
    for shuffled in orders([*echo(10.0), *echo(other)]):
        with pytest.raises(MultipleVolumes, match=r"got 2: 20 axial .*; 20 axial"):
            find(shuffled)


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


def test_pieces_that_do_not_lie_together_where_they_would_go_are_left_alone() -> None:
    """Each of two images fits alone, at the end of one of two echoes, and both together do not."""
    one, other = echo(10.0, 8), [moved(image, (0, 0, 60.0)) for image in echo(80.0, 8)]
    between = [moved(echo(None, 1)[0], (0, 0, z), pixels=str(z).encode()) for z in (24.0, 25.5, 54.0)]

    found = merged(split([*one, *other, *between], most=100))

    assert sorted(len(stack) for stack in found) == [3, 8, 8]


def test_localizers_do_not_go_with_images_that_do_not_say_their_kind() -> None:
    slices = changed(make_stack(48, gap_mm=3.0), [45, 46, 47], image_type=("LOCALIZER",))

    stack, warnings = find(slices)

    assert len(stack) == 45
    assert "left out" in warnings[0]


def test_a_few_images_that_all_say_something_else_are_too_few() -> None:
    with pytest.raises(TooFewSlices, match="got 2"):
        find(changed(make_stack(2), [1], echo_time_ms=5.0))


def gated(n: int, name: str, low: float, high: float) -> Stack:
    values = np.random.default_rng(3).permutation(np.linspace(low, high, n))
    return [
        moved(image, (0, 0, 0), sequence=said(**{name: float(value)}))
        for image, value in zip(make_stack(n, gap_mm=3.0, echo_time_ms=9.0), values, strict=True)
    ]


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


def test_a_gated_slice_that_does_not_say_its_time_is_one_of_the_volume() -> None:
    for shuffled in orders(changed(gated(24, "tr_ms", 780, 920), [4, 23], sequence=said(tr_ms=None))):
        assert len(find(shuffled)[0]) == 24


def test_a_slice_that_is_missing_in_a_gated_series_is_called_missing() -> None:
    slices = gated(24, "tr_ms", 780, 920)
    del slices[7]

    with pytest.raises(IrregularSlices, match="1 slice is missing: 1 after slice 7 of 23"):
        find(slices)


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


def test_values_that_are_further_apart_than_a_third_are_no_gating() -> None:
    with pytest.raises(IrregularSlices, match="10 differ from the others in repetition time"):
        find(changed(make_stack(20, sequence=said()), [*range(0, 20, 2)], sequence=said(tr_ms=900.0)))


def test_an_echo_time_that_is_rounded_otherwise_in_every_second_slice_is_one_volume() -> None:
    stack, warnings = find(changed(echo(10.0), [*range(0, 20, 2)], echo_time_ms=10.4))

    assert len(stack) == 20
    assert warnings == ["echo time varies from 10 to 10.4 ms between the slices"]


def test_echoes_that_are_a_little_apart_at_the_same_places_are_two_volumes() -> None:
    with pytest.raises(MultipleVolumes, match="got 2"):
        find([*echo(10.0), *echo(10.4)])


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


def test_images_with_and_without_a_filter_at_the_same_places_are_two_volumes() -> None:
    with pytest.raises(MultipleVolumes, match="got 2"):
        find([*echo(10.0, image_type=("M", "ND")), *echo(10.1, image_type=("M", "NORM"))])


@pytest.mark.parametrize("word", ["P", "ADC", "NORM"])
def test_words_that_say_what_an_image_shows_do_make_volumes(word: str) -> None:
    slices = changed(make_stack(20, image_type=("M", "ND")), [*range(0, 20, 2)], image_type=(word, "ND"))

    with pytest.raises(IrregularSlices, match="10 differ from the others in kind of image"):
        find(slices)


@pytest.mark.parametrize("shape", [(8, 9), (256, 256)])
def test_noise_in_the_directions_makes_no_volumes(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(5)
    slices = [
        moved(image, (0, 0, 0), orientation=AXIAL + noise.uniform(-5e-5, 5e-5, 6))
        for image in make_stack(60, shape=shape)
    ]

    stack, warnings = find(slices)
    affine = stacks.affine(stack)

    assert (len(stack), warnings) == (60, [])
    assert affine[:3, 0] @ affine[:3, 1] == pytest.approx(0.0, abs=1e-12)
    assert np.linalg.norm(affine[:3, :2], axis=0) == pytest.approx([1.0, 1.0], abs=1e-12)
    assert affine[:3, :2] == pytest.approx(np.eye(3)[:, :2], abs=3e-5)


def test_larger_noise_is_borne_by_images_whose_pixels_it_does_not_move() -> None:
    noise = np.random.default_rng(5)
    turned = [AXIAL + noise.uniform(-5e-4, 5e-4, 6) for _ in range(20)]

    for n, is_one in ((16, True), (512, False)):
        slices = [
            moved(image, (0, 0, 0), orientation=orientation)
            for image, orientation in zip(make_stack(20, shape=(n, n)), turned, strict=True)
        ]
        assert (len(split(slices, most=100)) == 1) == is_one


def test_equal_directions_are_those_of_the_volume_to_the_last_bit() -> None:
    oblique = np.array([0.8137976813, 0.4698463103, 0.3420201433, -0.559624631, 0.7922556403, 0.2432103468])

    affine = stacks.affine(make_stack(orientation=oblique))

    assert (affine[:3, :2].T.ravel() == oblique).all()


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


def test_the_work_does_not_grow_as_the_square_of_the_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Slice] = []
    is_with = Slice.is_with

    def counted(image: Slice, other: Slice, *options: Any) -> bool:
        asked.append(other)
        return is_with(image, other, *options)

    monkeypatch.setattr(Slice, "is_with", counted)

    merged(split(gated(384, "tr_ms", 780, 920), most=100))

    assert len(asked) < 10 * 384
