"""The series of an upload, and how much work it is to tell very many apart."""

from collections.abc import Callable
from typing import ClassVar

import pytest

from disyre.errors import UnusableVolume
from disyre.sequence_parameters import SequenceParameters
from disyre.series import Images, Reject
from disyre.stacks import Origin
from tests.dicom_stacks import make_stack


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
