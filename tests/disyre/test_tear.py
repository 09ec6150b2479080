"""Images that lie as the slices of one stack do, and differ in an attribute."""

from typing import Any

import numpy as np
import pytest

from disyre import series, tear
from disyre.admission import ignore
from disyre.continuation import is_alike
from disyre.difference import differences
from disyre.errors import IrregularSlices, MultipleVolumes
from disyre.series import Images
from disyre.stacks import Slice, Stack, Vector
from disyre.tear import tears
from tests.dicom_stacks import SAGITTAL, make_stack, moved


def find(slices: Stack) -> Stack:
    return series.find_volume(Images(slices), ignore)


def with_one(place: int = 5, n: int = 20, **changes: Any) -> Stack:
    """A stack of which an image in the middle differs."""
    slices = make_stack(n, gap_mm=3.0, echo_time_ms=10.0, image_type=("M",))
    slices[place] = moved(slices[place], (0, 0, 0), **changes)
    return slices


def with_each(n: int, name: str, values: list[Any]) -> Stack:
    """A stack in which an attribute changes from image to image."""
    return [
        moved(image, (0, 0, 0), **{name: value})
        for image, value in zip(make_stack(n, gap_mm=3.0), values, strict=True)
    ]


def turned(angle: float) -> Vector:
    """Axial, turned about the rows."""
    return np.array([1.0, 0, 0, 0, np.cos(angle), np.sin(angle)])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"echo_time_ms": 11.0}, r"echo time \(11 ms against 10 ms\)"),
        ({"spacing_mm": (1.0002, 1.0)}, r"size of pixels \(1.0002 x 1 against 1 x 1 mm, PixelSpacing\)"),
        ({"image_type": ("OTHER",)}, r"kind of image, .* \(ImageType\)"),
        ({"orientation": turned(1.4e-3)}, "turned by less than 0.1 degrees"),
        ({"frame_of_reference": "2"}, "FrameOfReferenceUID"),
    ],
    ids=str,
)
def test_a_slice_that_came_and_differs_is_not_called_missing(changes: dict[str, Any], words: str) -> None:
    slices = with_one(**changes)

    with pytest.raises(IrregularSlices, match=f"1 image .* where a slice would be missing .*{words}"):
        find(slices)


def test_a_slice_in_a_series_of_its_own_is_not_called_missing() -> None:
    with pytest.raises(
        IrregularSlices, match=r"that of 19 images has slices .* another series of the study .1 image"
    ):
        find(with_one(series="2"))


def test_several_slices_that_differ_are_counted() -> None:
    slices = with_one(5, echo_time_ms=11.0)
    slices[9:11] = [moved(image, (0, 0, 0), echo_time_ms=11.0) for image in slices[9:11]]

    with pytest.raises(IrregularSlices, match=r"3 images that lie where .* the 17 others"):
        find(slices)


@pytest.mark.parametrize("by", [(0, 0, 1.0), (0, 0, 3.0), (8.0, 0, 0)], ids=["between", "doubled", "aside"])
def test_an_image_that_does_not_fill_the_hole_leaves_it_a_hole(by: tuple[float, float, float]) -> None:
    slices = with_one(echo_time_ms=11.0)
    slices[5] = moved(slices[5], by)

    with pytest.raises(IrregularSlices, match="1 slice is missing"):
        find(slices)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("frame_of_reference", [str(k) for k in range(20)], "frame of reference"),
        ("temporal_position", [float(k) for k in range(20)], "time"),
        ("orientation", [turned(3e-4 * (k % 7)) for k in range(20)], "turned by"),
        ("image_type", [(str(k % 5),) for k in range(20)], "ImageType"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_differs_from_slice_to_slice_is_named_once(name: str, values: list[Any], words: str) -> None:
    with pytest.raises(IrregularSlices, match=f"20 images that lie evenly.*{words}.*put together") as refused:
        find(with_each(20, name, values))

    assert str(refused.value).count(words) == 1


def test_what_differs_from_slice_to_slice_is_named_of_very_many_too() -> None:
    slices = with_each(150, "frame_of_reference", [str(k) for k in range(150)])

    with pytest.raises(IrregularSlices, match="150 images that lie evenly"):
        find(slices)


def test_very_many_kinds_of_which_some_are_no_pieces_stay_very_many_kinds() -> None:
    pieces = with_each(150, "frame_of_reference", [str(k) for k in range(150)])

    with pytest.raises(MultipleVolumes, match="more than 100 kinds"):
        find([*pieces, *make_stack(shape=(9, 9))])


def test_a_torn_series_keeps_no_other_from_being_found() -> None:
    pieces = with_each(150, "frame_of_reference", [str(k) for k in range(150)])

    with pytest.raises(MultipleVolumes, match="150 images of a series that cannot be used; 20 axial images"):
        find([*pieces, *make_stack(series="2")])


def test_slices_with_a_series_each_are_named_by_that() -> None:
    slices = with_each(8, "series", [str(k) for k in range(8)])
    slices = [moved(image, (0, 0, 0), frame_of_reference=image.series) for image in slices]

    with pytest.raises(IrregularSlices, match=r"series \(SeriesInstanceUID\); frame of reference"):
        find(slices)
    assert sorted(tears([[image] for image in slices])) == list(range(8))


@pytest.mark.parametrize("n_series", [1, 48])
def test_slices_with_a_study_each_are_named_by_that(n_series: int) -> None:
    slices = with_each(48, "study", [str(k) for k in range(48)])
    slices = [moved(image, (0, 0, 0), series=str(k % n_series)) for k, image in enumerate(slices)]

    with pytest.raises(
        IrregularSlices, match=r"48 images that lie evenly.*\(StudyInstanceUID\).*anonymise them again"
    ):
        find(slices)
    assert sorted(tears([[image] for image in slices])) == list(range(48))


def test_slices_of_a_patient_each_are_no_stack() -> None:
    slices = with_each(8, "patient", [str(k) for k in range(8)])

    assert tears([[image] for image in slices]) == {}


def test_nobody_is_told_to_send_every_second_slice_alone() -> None:
    between = [moved(image, (0, 0, 1.5), echo_time_ms=30.0) for image in make_stack(10, gap_mm=3.0)]

    with pytest.raises(
        IrregularSlices,
        match=r"20 images .*, of which 10 differ .* echo time \(30 ms against 10 ms\).*dcm2niix",
    ) as refused:
        find([*make_stack(10, gap_mm=3.0, echo_time_ms=10.0), *between])

    assert "alone" not in str(refused.value)


def test_a_localizer_in_the_series_changes_nothing_about_it() -> None:
    between = [moved(image, (0, 0, 1.5), echo_time_ms=30.0) for image in make_stack(10, gap_mm=3.0)]
    localizer = make_stack(3, gap_mm=10.0, orientation=SAGITTAL)

    with pytest.raises(IrregularSlices, match=r"20 images .*, of which 10 differ"):
        find([*localizer, *make_stack(10, gap_mm=3.0, echo_time_ms=10.0), *between])


def test_interleaved_volumes_with_a_gap_of_their_own_are_two() -> None:
    between = [moved(image, (0, 0, 1.0), echo_time_ms=30.0) for image in make_stack(10, gap_mm=3.0)]

    with pytest.raises(MultipleVolumes):
        find([*make_stack(10, gap_mm=3.0, echo_time_ms=10.0), *between])


@pytest.mark.parametrize("n", [48, 47, 46])
def test_every_third_slice_that_differs_is_not_called_missing_though_one_is_at_an_end(n: int) -> None:
    slices = [
        moved(image, (0, 0, 0), echo_time_ms=80.0 if k % 3 == 2 else 10.0)
        for k, image in enumerate(make_stack(n, gap_mm=3.0))
    ]

    with pytest.raises(IrregularSlices, match=r"differ from the others in echo time \(80 ms against 10 ms\)"):
        find(slices)


def test_slices_that_differ_and_one_that_is_missing_are_told_apart() -> None:
    slices = [
        moved(image, (0, 0, 0), echo_time_ms=80.0 if k % 4 == 3 else 10.0)
        for k, image in enumerate(make_stack(24, gap_mm=3.0))
    ]
    del slices[9]

    with pytest.raises(
        IrregularSlices, match=r"6 images that lie where .* the 17 others differ .* echo time"
    ):
        find(slices)


def test_single_images_that_lie_unevenly_are_no_stack() -> None:
    slices = with_each(8, "series", [str(k) for k in range(8)])
    slices[3] = moved(slices[3], (0, 0, 1.0))

    assert tears([[image] for image in slices]) == {}


def test_of_very_many_single_images_only_the_first_kinds_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Slice] = []

    def counted(image: Slice, other: Slice, **options: bool) -> bool:
        asked.append(other)
        return is_alike(image, other, **options)

    monkeypatch.setattr(tear, "is_alike", counted)
    slices = make_stack(250)
    for k, image in enumerate(slices):
        slices[k] = moved(image, (0, 0, 0), series=str(k), shape=(8, 9 + k))

    assert tears([[image] for image in slices]) == {}
    assert len(asked) <= 10 * 250


@pytest.mark.parametrize("times", [1.0 + 2e-4, 1.0 + 2e-7])
def test_sizes_of_pixels_are_told_with_enough_digits(times: float) -> None:
    image, other = make_stack(2)
    other = moved(other, (0, 0, 0), spacing_mm=(1.5, 2.0 * times), echo_time_ms=9.0)
    image = moved(image, (0, 0, 0), spacing_mm=(1.5, 2.0))

    told = [words for words in differences(image, other) if "pixels" in words]

    assert all("1.5 x 2 against 1.5 x 2 mm" not in words for words in told)
    assert len(told) == int(not np.isclose(times, 1.0, atol=1e-6))
