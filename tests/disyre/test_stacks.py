"""Sorting out the images of an upload, without DICOM."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from disyre import stacks
from disyre.errors import IrregularSlices, MultipleVolumes, TooFewSlices, UnsupportedGeometry
from disyre.sequence_parameters import SequenceParameters
from tests.dicom_stacks import AXIAL, CORONAL, SAGITTAL, find, make_stack, moved


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL])
def test_slices_are_sorted_along_their_normal_whatever_order_they_came_in(orientation: stacks.Vector) -> None:
    shuffled = np.random.default_rng(0).permutation(
        np.array(make_stack(orientation=orientation), dtype=object)
    )

    stack, warnings = find(list(shuffled))

    assert [image.number for image in stack] == list(range(20))
    assert warnings == []


@pytest.mark.parametrize(
    "difference",
    [
        {"series": "2"},
        {"frame_of_reference": "2"},
        {"shape": (9, 8)},
        {"spacing_mm": (1.0, 1.01)},
        {"echo_time_ms": 30.0},
        {"sequence": SequenceParameters(tr_ms=500.0)},
        {"temporal_position": 2.0},
        {"image_type": ("P",)},
        {"orientation": SAGITTAL},
    ],
    ids=lambda difference: next(iter(difference)),
)
def test_two_volumes_are_refused_and_described(difference: dict[str, Any]) -> None:
    with pytest.raises(
        MultipleVolumes, match=r"got 2: 20 axial images of 8 x 9.*; 20 (axial|sagittal) images"
    ):
        find(make_stack() + make_stack(**difference))


def test_rounding_errors_in_headers_do_not_split_a_volume() -> None:
    noise = np.random.default_rng(1)
    slices = [
        replace(
            image,
            orientation=image.orientation + noise.uniform(-4e-5, 4e-5, 6) + 5e-5,
            spacing_mm=tuple(np.array(image.spacing_mm) + noise.uniform(-4e-5, 4e-5, 2)),
            echo_time_ms=3 + noise.uniform(-0.04, 0.04),
        )
        for image in make_stack()
    ]

    stack, _ = find(slices)

    assert len(stack) == 20


def test_a_localizer_beside_a_volume_is_left_out_with_a_warning() -> None:
    localizer = make_stack(3, gap_mm=10, orientation=SAGITTAL, series="2")

    stack, warnings = find(localizer + make_stack())

    assert len(stack) == 20
    assert warnings == ["3 sagittal images of 8 x 9: left out, as not part of the volume"]


def test_a_series_over_time_is_no_localizer_though_each_time_is_as_small_as_one() -> None:
    times = [image for k in range(60) for image in make_stack(10, series="2", temporal_position=float(k))]

    with pytest.raises(MultipleVolumes, match="got 61"):
        find(make_stack(48) + times)


def test_a_localizer_in_three_planes_counts_once_for_each() -> None:
    planes = [
        image
        for orientation in (AXIAL, SAGITTAL, CORONAL)
        for image in make_stack(5, series="2", gap_mm=10, orientation=orientation)
    ]

    stack, warnings = find(planes + make_stack())

    assert (len(stack), len(warnings)) == (20, 3)


@pytest.mark.parametrize(("n", "n_other"), [(20, 6), (176, 12)])
def test_what_may_be_a_volume_of_its_own_is_not_left_out(n: int, n_other: int) -> None:
    with pytest.raises(MultipleVolumes):
        find(make_stack(n) + make_stack(n_other, series="2"))


def test_images_of_very_many_kinds_are_refused_early_with_what_differs() -> None:
    kinds: list[dict[str, Any]] = [
        {"temporal_position": float(n), "frame_of_reference": str(n % 3), "echo_time_ms": 10.0 * (n % 4)}
        for n in range(120)
    ]

    with pytest.raises(MultipleVolumes) as refused:
        find([image for kind in kinds for image in make_stack(1, **kind)])

    assert str(refused.value) == (
        "expected the images of one volume, got images of more than 100 kinds, which differ in frame of "
        "reference (FrameOfReferenceUID); echo time (0 ms against 10 ms); time (TemporalPosition)"
    )


def test_very_many_volumes_in_an_upload_are_refused() -> None:
    with pytest.raises(MultipleVolumes, match="more than 1000: send fewer series"):
        find([image for n in range(1001) for image in make_stack(1, series=str(n))])


def test_of_many_volumes_the_first_are_described_and_the_others_counted() -> None:
    with pytest.raises(MultipleVolumes, match=r"got 10: .*; and 2 more"):
        find([image for n in range(10) for image in make_stack(echo_time_ms=5.0 * n)])


def test_identical_copies_are_dropped_with_a_warning() -> None:
    stack, warnings = find(make_stack() + make_stack()[3:5])

    assert len(stack) == 20
    assert warnings == ["2 images dropped, as equal to another at the same place"]


def test_different_images_at_one_place_are_refused() -> None:
    with pytest.raises(IrregularSlices, match="different ones at 1 of 20"):
        find([*make_stack(), moved(make_stack()[3], (0, 0, 0), pixels=b"other")])


def test_a_series_over_time_that_does_not_say_so_is_refused() -> None:
    again = [moved(image, (0, 0, 0), pixels=b"later" + image.pixels) for image in make_stack()]

    with pytest.raises(MultipleVolumes, match=r"got 2 at each of 20 places.*over time"):
        find(make_stack() + again)


def test_images_at_one_place_are_no_series_over_time() -> None:
    images = [moved(make_stack(1)[0], (0, 0, 0), pixels=bytes([n])) for n in range(3)]

    with pytest.raises(IrregularSlices, match="got 3 different images at the same place"):
        find(images)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_fewer_than_four_slices_are_no_volume(n: int) -> None:
    with pytest.raises(TooFewSlices, match=f"at least 4 slices of one volume, got {n}"):
        find(make_stack(n))


def test_copies_do_not_count_as_slices() -> None:
    with pytest.raises(TooFewSlices, match="got 3"):
        find(make_stack(3) + make_stack(3))


@pytest.mark.parametrize(
    ("orientation", "words"),
    [
        ([0, 0, 0, 0, 0, 0], "unit length .* got lengths of 0 and 0"),
        ([2, 0, 0, 0, 2, 0], "unit length .* got lengths of 2 and 2"),
        ([1, 0, 0, 0, 1.01, 0], "unit length .* got lengths of 1 and 1.01"),
        ([1, 0, 0, 1, 0, 0], "right angle .* got an angle of 0 degrees"),
        ([1, 0, 0, 0.01, 1, 0], "right angle .* got an angle of 89.43 degrees"),
    ],
)
def test_an_image_without_two_directions_at_a_right_angle_is_refused(
    orientation: list[float], words: str
) -> None:
    with pytest.raises(UnsupportedGeometry, match=words):
        make_stack(1, orientation=np.array(orientation, dtype=np.float64))


def test_a_stack_is_described_by_what_no_person_wrote() -> None:
    described = stacks.describe(make_stack(5, orientation=SAGITTAL, echo_time_ms=2.98, temporal_position=3.0))

    assert described == "5 sagittal images of 8 x 9, echo time 2.98 ms, time 3"


def test_copies_are_not_counted_in_a_description() -> None:
    twice = make_stack(5) + make_stack(5)[:3]
    over_time = make_stack(5) + [moved(image, (0, 0, 0), pixels=b"later") for image in make_stack(5)]

    assert stacks.describe(twice) == "5 axial images of 8 x 9"
    assert stacks.describe(over_time) == "10 axial images of 8 x 9"
    assert (stacks.n_images(over_time), stacks.n_places(over_time)) == (10, 5)


def test_volumes_that_differ_in_their_series_only_are_told_apart() -> None:
    with pytest.raises(
        MultipleVolumes, match=r"got 2: 20 axial .*, a slice every 1 mm; 20 axial .*, a slice every 2 mm$"
    ):
        find(make_stack() + make_stack(series="2", gap_mm=2.0))


@pytest.mark.parametrize("n", [1, 30])
def test_mosaics_are_refused_by_name_and_with_advice(n: int) -> None:
    with pytest.raises(UnsupportedGeometry, match=r"Siemens mosaic.*send the NIfTI"):
        find(make_stack(n, image_type=("M", "MOSAIC")))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([False] * 41 + [True] * 7, ["the images differ in ImageType: DERIVED in 7 of 48"]),
        ([True] * 48, []),
        ([False] * 48, []),
        ([None] * 40 + [True] * 8, []),
        ([None] * 40 + [True] * 2 + [False] * 6, ["the images differ in ImageType: DERIVED in 2 of 8"]),
    ],
    ids=["some", "all", "none", "not stated", "stated in some"],
)
def test_images_of_which_only_some_are_derived_are_one_volume_with_a_warning(
    said: list[bool | None], told: list[str]
) -> None:
    slices = [
        moved(image, (0, 0, 0), is_derived=each) for image, each in zip(make_stack(48), said, strict=True)
    ]

    stack, warnings = find(slices)

    assert (len(stack), warnings) == (48, told)
