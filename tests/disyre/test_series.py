"""The series of an upload, and how much work it is to tell very many apart."""

from collections.abc import Callable
from typing import ClassVar

import pytest

from disyre import series
from disyre.errors import MultipleVolumes, UnusableVolume
from disyre.sequence_parameters import SequenceParameters
from disyre.series import Images, Reject
from disyre.series_words import describe_series
from disyre.stacks import Origin
from tests.dicom_stacks import CORONAL, SAGITTAL, make_stack


class CountedUid(str):
    """A UID that counts how often it is compared."""

    __slots__ = ()
    n: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        CountedUid.n += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def make_rejected(n: int) -> Images:
    """Two images of each of `n` series, none of which can be used; each has a UID of its own in memory."""
    rejects = [
        Reject(
            origin=Origin("", "", "1", CountedUid(f"1.2.{number}")),
            error=UnusableVolume("expected grey images, got colour"),
            sequence=SequenceParameters(),
        )
        for _ in range(2)
        for number in range(n)
    ]
    return Images([], rejects)


@pytest.mark.parametrize(
    "look",
    [Images.spoiled, Images.by_series, Images.parts, Images.check_patient, lambda images: images.series],
)
def test_the_work_grows_as_the_series_that_cannot_be_used_do(look: Callable[[Images], object]) -> None:
    CountedUid.n = 0

    look(make_rejected(2000))

    assert CountedUid.n < 20 * 2000


def test_images_are_given_to_their_series_in_the_order_in_which_they_came() -> None:
    rejected = make_rejected(2)
    good = make_stack(4, series="1.2.1")
    images = Images([*good], rejected.rejects)

    by_series = images.by_series()

    assert list(by_series) == images.series == ["1.2.1", "1.2.0"]
    assert by_series["1.2.1"].slices == good
    assert [len(each.rejects) for each in by_series.values()] == [2, 2]


def test_a_series_that_cannot_be_used_counts_all_its_images() -> None:
    rejected = make_rejected(2)
    images = Images(make_stack(4, series="1.2.1", study="1"), rejected.rejects)

    sizes = {part.origin.series: len(part) for part in images.spoiled()}

    assert sizes == {"1.2.0": 2, "1.2.1": 6}


LOCALIZER = ("LOCALIZER",)


def make_localizer() -> Images:
    """Three planes of five images each, and one image that cannot be used of another localizer."""
    planes = [
        image
        for number, plane in enumerate((-CORONAL, CORONAL, SAGITTAL))
        for image in make_stack(
            5, gap_mm=10.0, series="2", orientation=plane, image_type=LOCALIZER, echo_time_ms=float(number)
        )
    ]
    error = UnusableVolume("expected grey images, got colour")
    sequence = SequenceParameters(image_type=frozenset(LOCALIZER))
    return Images(planes, [Reject(origin=Origin("", "", "", "3"), error=error, sequence=sequence)] * 20)


@pytest.mark.parametrize("n", [4, 16])
def test_what_its_header_calls_a_localizer_is_left_out_however_large_it_is(n: int) -> None:
    localizer, warnings = make_localizer(), list[str]()

    stack = series.find_volume(
        Images([*localizer.slices, *make_stack(n, series="1")], localizer.rejects), warnings.append
    )

    assert [image.series for image in stack] == ["1"] * n
    assert len(warnings) == 4
    assert all("left out, as not part of the volume" in warning for warning in warnings)


def test_two_volumes_beside_a_localizer_are_two() -> None:
    volumes = [*make_stack(16), *make_stack(16, echo_time_ms=30.0)]

    with pytest.raises(MultipleVolumes, match="got 2: 16 axial images"):
        series.find_volume(Images([*make_localizer().slices, *volumes]), lambda warning: None)


def test_a_localizer_alone_is_looked_at_as_anything_else_is() -> None:
    with pytest.raises(MultipleVolumes, match="got 3"):
        series.find_volume(Images(make_localizer().slices), lambda warning: None)


def test_a_series_is_described_by_plane_and_size() -> None:
    assert describe_series(Images(make_localizer().slices)) == (
        "localizer: 10 coronal images of 8 x 9 in 2 volumes; 5 sagittal images of 8 x 9, echo time 2 ms"
    )
    assert describe_series(Images(make_stack(5))) == "5 axial images of 8 x 9"
    assert describe_series(make_rejected(1)) == "2 images of a series that cannot be used"


def test_of_very_many_sizes_only_the_first_are_described() -> None:
    sizes = [image for k in range(10) for image in make_stack(10 - k, shape=(8, 9 + k))]

    words = describe_series(Images(sizes))

    assert words.startswith("10 axial images of 8 x 9; 9 axial images of 8 x 10; ")
    assert words.endswith("3 axial images of 8 x 16; and 2 more kinds")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("M", "NORM"), "kind of image (ND against NORM, ImageType)"),
        (("M",), "kind of image (ND against no filter, ImageType)"),
        (("P", "NORM"), "kind of image, such as magnitude and phase (ImageType)"),
        ((), "kind of image, such as magnitude and phase (ImageType)"),
        (("M", "ND", "ANNA"), "kind of image, such as magnitude and phase (ImageType)"),
    ],
    ids=str,
)
def test_copies_that_were_filtered_otherwise_are_told_by_the_words_of_filters(
    words: tuple[str, ...], told: str
) -> None:
    copies = [make_stack(8, image_type=image_type) for image_type in (("M", "ND"), words)]

    assert series.what_differs(copies) == told
