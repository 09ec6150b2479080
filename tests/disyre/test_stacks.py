"""Sorting out the images of an upload, without DICOM."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from disyre import stacks
from disyre.errors import GantryTilt, IrregularSlices, MultipleVolumes, TooFewSlices, UnsupportedGeometry
from disyre.sequence_parameters import SequenceParameters
from disyre.stacks import Slice
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
        Slice(
            **{
                **vars(image),
                "orientation": image.orientation + noise.uniform(-4e-5, 4e-5, 6) + 5e-5,
                "spacing_mm": tuple(np.array(image.spacing_mm) + noise.uniform(-4e-5, 4e-5, 2)),
                "echo_time_ms": 3 + noise.uniform(-0.04, 0.04),
            }
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


@pytest.mark.parametrize("missing", [1, 10, 18])
def test_a_missing_slice_is_counted_and_its_place_named(missing: int) -> None:
    slices = make_stack(gap_mm=1.5)
    del slices[missing]

    with pytest.raises(IrregularSlices) as refused:
        find(slices)

    start, end = 1.5 * (missing - 1), 1.5 * (missing + 1)
    assert str(refused.value).startswith(
        f"expected a slice every 1.50 mm, but 1 slice is missing: 1 after slice {missing} of 19 (between "
        f"{start:.2f} and {end:.2f} mm from the first)"
    )


def test_a_missing_slice_is_seen_even_where_slices_are_thin() -> None:
    slices = make_stack(gap_mm=0.15)
    del slices[10]

    with pytest.raises(IrregularSlices):
        find(slices)


def test_many_missing_slices_are_counted_and_the_first_places_named() -> None:
    slices = make_stack(60)
    for k in (50, 40, 39, 30, 20, 10, 5):
        del slices[k]

    with pytest.raises(
        IrregularSlices, match=r"7 slices are missing: 1 after slice 5 of 53.*, and at 1 more places"
    ):
        find(slices)


def test_images_at_one_place_are_no_series_over_time() -> None:
    images = [moved(make_stack(1)[0], (0, 0, 0), pixels=bytes([n])) for n in range(3)]

    with pytest.raises(IrregularSlices, match="got 3 different images at the same place"):
        find(images)


def test_gaps_that_vary_are_named_with_the_one_that_differs_most() -> None:
    slices = [moved(image, (0, 0, 0.02 * k**2)) for k, image in enumerate(make_stack(12))]

    with pytest.raises(IrregularSlices, match=r"from 1\.02 to 1\.42 mm; the one .* after slice (1|11) of 12"):
        find(slices)


def test_growing_gaps_are_refused_even_if_each_grows_by_little() -> None:
    slices = [moved(image, (0, 0, 0.002 * k**2)) for k, image in enumerate(make_stack(60))]

    with pytest.raises(IrregularSlices):
        find(slices)


def test_positions_that_are_rounded_to_a_tenth_of_a_millimetre_are_accepted() -> None:
    slices = [moved(image, (0, 0, round(0.97 * k, 1) - k)) for k, image in enumerate(make_stack(60))]

    stack, _ = find(slices)

    assert stacks.affine(stack)[2, 2] == pytest.approx(0.97, abs=0.002)


@pytest.mark.parametrize(
    ("which", "number"),
    [([0], 1), ([1], 2), ([20], 21), ([24], 25), ([11, 12, 13], 12), ([47], 48), (range(24, 48), 25)],
    ids=str,
)
@pytest.mark.parametrize("aside_mm", [0.3, 5.0])
@pytest.mark.parametrize("tilt_mm", [0.0, 0.01])
def test_slices_that_are_moved_sideways_are_named_and_not_called_gaps(
    which: Sequence[int], number: int, aside_mm: float, tilt_mm: float
) -> None:
    slices = [moved(image, (0, tilt_mm * k, 0)) for k, image in enumerate(make_stack(48, gap_mm=3.0))]
    for k in which:
        slices[k] = moved(slices[k], (aside_mm, 0, 0))

    with pytest.raises(
        IrregularSlices, match=f"slice {number} of 48 lies {aside_mm} mm beside .*export .* dcm2niix"
    ):
        find(slices)


def test_of_a_stack_that_is_bent_sideways_the_slice_that_is_furthest_is_named() -> None:
    slices = [moved(image, (0.002 * (k - 20) ** 2, 0, 0)) for k, image in enumerate(make_stack(41))]

    with pytest.raises(IrregularSlices, match=r"slice 21 of 41 lies 0\.8 mm beside"):
        find(slices)


def test_thin_slices_are_told_how_little_they_are_moved() -> None:
    slices = make_stack(gap_mm=0.5)
    slices[7] = moved(slices[7], (0.07, 0, 0))

    with pytest.raises(IrregularSlices, match=r"slice 8 of 20 lies 0\.070 mm beside"):
        find(slices)


def test_a_missing_slice_is_called_missing_though_others_are_moved_sideways() -> None:
    slices = [moved(image, (5.0 * (k > 23), 0, 0)) for k, image in enumerate(make_stack(48, gap_mm=3.0))]
    del slices[23]

    with pytest.raises(IrregularSlices, match=r"a slice every 3\.00 mm, but 1 slice is missing"):
        find(slices)


def test_a_tilt_is_refused_and_its_angle_named() -> None:
    shift = np.tan(np.deg2rad(12.0))

    with pytest.raises(
        GantryTilt, match=r"a gantry tilt of 12\.0 degrees.*by 4\.0 mm over the stack; reformat"
    ):
        find([moved(image, (0, shift * k, 0)) for k, image in enumerate(make_stack())])


def test_a_small_tilt_over_a_long_way_is_refused() -> None:
    with pytest.raises(GantryTilt, match=r"0\.3 degrees"):
        find([moved(image, (0, 0.005 * k, 0)) for k, image in enumerate(make_stack(176))])


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
