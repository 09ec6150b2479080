"""Images that lie where slices of a volume are missing."""

from itertools import chain
from typing import Any

import pytest

from disyre import series
from disyre.admission import ignore
from disyre.errors import IrregularSlices, SeveralPatients
from disyre.hole import holes
from disyre.series import Images
from disyre.stacks import Slice, Stack
from disyre.tear import tears
from tests.dicom_stacks import CORONAL, make_stack, moved


def centred(image: Slice, **changes: Any) -> Slice:
    """An image of another size with its centre where it was."""
    found = moved(image, (0, 0, 0), **changes)
    aside, down = ((old - new) / 2 for old, new in zip(image.shape, found.shape, strict=True))
    return moved(found, (aside, down, 0.0))


def interrupted(place: int = 5, **changes: Any) -> tuple[Stack, Slice]:
    """A stack in which an image is missing, and that image, with changes."""
    slices = make_stack(20, gap_mm=3.0, patient="1", study="1", echo_time_ms=10.0)
    image = slices.pop(place)
    return slices, moved(image, (0, 0, 0), **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"study": ""}, r"patient or study \(StudyInstanceUID\); export or anonymise them again"),
        ({"patient": "2"}, r"patient or study \(PatientID\); if it is one scan of one patient"),
        ({"patient": "", "person": "2"}, r"patient or study \(PatientID\)"),
        ({"series": "2", "patient": "2"}, r"PatientID.; series"),
        (
            {"spacing_mm": (2.0, 2.0)},
            r"size of pixels \(2 x 2 against 1 x 1 mm, PixelSpacing\); export the s",
        ),
        ({"shape": (8, 7)}, r"size \(8 x 7 against 8 x 9 pixels\)"),
        ({"shape": (16, 9), "series": "2"}, r"size \(16 x 9 against 8 x 9 pixels\)"),
    ],
    ids=str,
)
def test_an_image_in_a_hole_is_named_whatever_it_differs_in(changes: dict[str, Any], words: str) -> None:
    slices, image = interrupted(**changes)

    found = tears([slices, [image]])

    assert sorted(found) == [0, 1]
    with pytest.raises(
        IrregularSlices, match=f"1 image that lies where .* the 19 others differs from them in .*{words}"
    ):
        raise found[0]


def test_who_is_named_otherwise_may_be_another_patient() -> None:
    slices, image = interrupted()
    slices = [moved(each, (0, 0, 0), patient="", person="1") for each in slices]

    assert "(name or date of birth); if it is one" in str(
        holes([slices, [moved(image, (0, 0, 0), patient="", person="2")]])[0]
    )


def test_images_of_another_size_are_placed_by_their_centres_too() -> None:
    slices, image = interrupted()

    assert sorted(holes([slices, [centred(image, shape=(4, 5))]])) == [0, 1]


def test_images_of_several_patients_are_still_refused_as_such() -> None:
    slices, image = interrupted(patient="2")

    with pytest.raises(SeveralPatients):
        series.find_volume(Images([*slices, image]), ignore)


@pytest.mark.parametrize(
    "changes",
    [
        {"image_type": ("LOCALIZER",)},
        {"image_type": ("MIP",)},
        {"orientation": CORONAL},
        {"by": (0, 0, 1.5)},
        {"by": (8.0, 8.0, 0)},
    ],
    ids=str,
)
def test_what_is_no_slice_fills_no_hole(changes: dict[str, Any]) -> None:
    slices, image = interrupted(study="2")

    assert holes([slices, [moved(image, **{"by": (0, 0, 0), **changes})]]) == {}


def test_the_slices_of_a_whole_volume_are_in_no_hole_of_another() -> None:
    slices, _ = interrupted()
    others = [moved(image, (0, 0, 0), study="2") for image in make_stack(20, gap_mm=3.0)]

    assert holes([others, slices]) == {}
    assert holes([slices, [moved(image, (0, 0, 1.5)) for image in others]]) == {}


def test_wide_gaps_of_one_volume_are_no_holes_for_another() -> None:
    wide = make_stack(12, gap_mm=3.0)
    del wide[5]
    between = [moved(image, (0, 0, 1.5), study="2") for image in make_stack(12, gap_mm=3.0)]

    assert holes([wide, between]) == {}


def test_two_echoes_with_an_image_each_that_does_not_state_its_echo_time_are_told_that() -> None:
    echoes = [make_stack(20, gap_mm=3.0, echo_time_ms=te) for te in (10.0, 80.0)]
    slices = [moved(image, (0, 0, 0), pixels=b"%d" % k) for k, image in enumerate(chain(*echoes))]
    for place in (5, 25):
        slices[place] = moved(slices[place], (0, 0, 0), echo_time_ms=None)

    found = tears(series.usable(Images(slices).parts()))

    assert sorted(found) == [0, 1, 2]
    assert {
        "2 images that lie where a slice would be missing from the 19 others do not state their echo time, "
        "where these do" in str(error)
        for error in found.values()
    } == {True}


def test_one_image_that_does_not_state_a_thing_is_told_in_the_singular() -> None:
    slices, image = interrupted(echo_time_ms=None)

    assert "does not state its echo time" in str(holes([slices, [image]])[1])


def test_a_stack_without_a_hole_is_not_asked() -> None:
    assert holes([make_stack(20), make_stack(1, study="2"), make_stack(4, gap_mm=0.0)]) == {}
