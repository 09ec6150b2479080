"""Which series of an upload are read together."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from disyre.errors import InvalidInput
from disyre.sequence_parameters import SequenceParameters
from disyre.series import Images, find_volume
from disyre.series_kin import kin
from disyre.stacks import Stack
from tests.dicom_stacks import make_stack, moved

GAP_MM = 3.0
FACTS: dict[str, Any] = {"echo_time_ms": 10.0, "sequence": SequenceParameters(tr_ms=500)}
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"study": "9", "frame_of_reference": "9"},
    {"echo_time_ms": 90.0},
    {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")},
    {"sequence": SequenceParameters(tr_ms=500, has_agent=True)},
    {"sequence": SequenceParameters()},
)


def slab(name: str, first: int, last: int, **changes: Any) -> Stack:
    """Slices of one head, from one to before another, as a series of their own."""
    whole = make_stack(48, gap_mm=GAP_MM, **{**FACTS, **changes})
    return [moved(image, (0, 0, 0), series=name) for image in whole[first:last]]


def upload(*stacks: Stack) -> Images:
    return Images([image for stack in stacks for image in stack])


def kin_of(series: str, images: Images) -> set[str]:
    return kin(images.by_series(), [series])[series]


def said_of(series: str, images: Images) -> list[str]:
    """What is told of a series, if it can be scored, or why not."""
    said: list[str] = []
    try:
        find_volume(images, said.append, series=series)
    except InvalidInput as error:
        said.append(str(error))
    return said


@st.composite
def uploads(draw: st.DrawFn) -> Images:
    """Some series of one head, many of them at few places, and a few images in or beside them."""
    stacks: list[Stack] = []
    for number in range(draw(st.integers(2, 5))):
        n = draw(st.sampled_from([12, 12, 12, 3]))
        first = draw(st.sampled_from([0, 0, 12, 20]))
        step = draw(st.sampled_from([1, 1, 1, 2]))
        changes = draw(st.sampled_from(CHANGES))
        images = slab(str(number), first, first + n, **changes)[::step]
        if draw(st.booleans()):
            images += slab(str(number), first + n + 8, first + n + 10, **{**changes, "echo_time_ms": 50.0})
        stacks.append(images)
    return upload(*stacks)


@settings(max_examples=50)  # each looks into all series twice
@given(images=uploads())
def test_of_a_series_the_same_is_said_with_its_kin_as_with_all(images: Images) -> None:
    for series, needed in kin(images.by_series(), images.series).items():
        part = Images([image for image in images.slices if image.series in needed])

        assert said_of(series, part) == said_of(series, images)


def test_of_two_scans_at_one_place_each_is_read_with_what_lies_elsewhere_alone() -> None:
    images = upload(slab("1", 0, 24), slab("2", 0, 24), slab("3", 30, 33))

    assert kin(images.by_series(), ["1", "2"]) == {"1": {"1", "3"}, "2": {"2", "3"}}


def test_where_a_volume_may_be_a_part_of_its_series_others_at_its_place_are_read_too() -> None:
    mixed = [*slab("1", 0, 12), *slab("1", 12, 24, echo_time_ms=50.0)]
    images = upload(mixed, slab("2", 0, 24), slab("3", 30, 33))

    assert kin_of("1", images) == {"1", "2", "3"}
    assert kin_of("2", images) == {"2", "3"}
    assert kin_of("1", upload(mixed, slab("2", 0, 24))) == {"1"}


def test_series_of_very_many_kinds_of_images_are_taken_to_be_alike() -> None:
    def many(series: str, first: int, te_ms: float) -> Stack:
        return [slab(series, n, n + 1, echo_time_ms=te_ms + 10 * n)[0] for n in range(first, first + 9)]

    few = upload(many("1", 0, 10), slab("2", 30, 36, echo_time_ms=2000.0))
    assert kin_of("1", few) == {"1"}
    assert kin_of("1", upload(many("1", 0, 10), many("2", 30, 2000))) == {"1", "2"}
