"""Two stacks in one series that only the parameters of their sequence tell apart."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence as Items

from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.admission import ignore
from disyre.errors import IrregularSlices
from tests.dicom_phantom import assert_is_phantom, encoded, make_enhanced, make_series

GROUPS = {
    "RepetitionTime": "MRTimingAndRelatedParametersSequence",
    "FlipAngle": "MRTimingAndRelatedParametersSequence",
    "InversionTimes": "MRModifierSequence",
    "DiffusionBValue": "MRDiffusionSequence",
}
"""Where an enhanced image says them."""
CASES = [
    ("RepetitionTime", 500.0, 4000.0, r"repetition time \(500 ms against 4000 ms\)"),
    ("InversionTime", 0.0, 900.0, r"inversion time \(0 ms against 900 ms\)"),
    ("FlipAngle", 4.0, 18.0, r"flip angle \(4 degrees against 18 degrees\)"),
    ("DiffusionBValue", 0.0, 1000.0, r"b-value \(0 s/mm2 against 1000 s/mm2\)"),
]


def interleaved(name: str, values: list[float]) -> list[FileDataset]:
    """An even stack whose images have some values in turn."""
    series = make_series(4 * len(values))
    for k, image in enumerate(series):
        setattr(image, name, values[k % len(values)])
    return series


def as_enhanced(series: list[FileDataset], name: str) -> FileDataset:
    """The same as frames of one file."""
    image = make_enhanced(series)
    keyword = {"InversionTime": "InversionTimes"}.get(name, name)
    for frame, groups in zip(series, image.PerFrameFunctionalGroupsSequence, strict=True):
        said: Any = getattr(frame, name)
        content = Dataset()
        setattr(content, keyword, [said] if keyword == "InversionTimes" else said)
        setattr(groups, GROUPS[keyword], Items([content]))
    return image


def backwards(words: str) -> str:
    """What differs, told from the other side."""
    return re.sub(r"\((.*) against (.*)\\\)", r"(\2 against \1\\)", words)


FORMS: dict[str, Callable[[list[FileDataset], str], list[FileDataset]]] = {
    "single images": lambda series, name: series,
    "one enhanced file": lambda series, name: [as_enhanced(series, name)],
    "two enhanced files": lambda series, name: [as_enhanced(series[k::2], name) for k in (0, 1)],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(("name", "one", "other", "words"), CASES)
def test_slices_in_between_with_another_contrast_are_half_of_a_head_that_is_not_to_be_sent_alone(
    name: str, one: float, other: float, words: str, form: Callable[..., list[FileDataset]]
) -> None:
    files = encoded(form(interleaved(name, [one, other]), name))

    with pytest.raises(IrregularSlices, match=f"of which 4 differ from the others in {backwards(words)}") as (
        refused
    ):
        check_dicom(files)
    with pytest.raises(IrregularSlices):
        read_dicom(files)
    listed = inspect_dicom(files, ignore)

    assert [each.n for each in refused.value.candidates] == [4, 4]
    assert {each.code for each in listed} == {"irregular-slices"}
    assert all("alone" not in (each.reason or "") for each in listed)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(("name", "one", "other", "words"), CASES)
def test_slices_of_another_contrast_do_not_continue_a_stack(
    name: str, one: float, other: float, words: str, form: Callable[..., list[FileDataset]]
) -> None:
    series = make_series(12)
    for k, image in enumerate(series):
        setattr(image, name, other if k < 6 else one)

    with pytest.raises(IrregularSlices, match="goes on differ from it in"):
        read_dicom(encoded(form(series, name)))


@pytest.mark.parametrize("values", [[1000.0, 1030.0], [1000.0, 970.0, 1040.0]])
def test_a_repetition_time_that_gating_lets_vary_splits_no_volume(values: list[float]) -> None:
    assert_is_phantom(read_dicom(encoded(interleaved("RepetitionTime", values))))


def test_a_b_value_of_0_is_that_of_images_that_state_none() -> None:
    series = make_series()
    for image in series[::2]:
        image.DiffusionBValue = 0.0

    assert_is_phantom(read_dicom(encoded(series)))


def test_a_slice_with_an_inversion_is_named_in_the_stack_that_has_none() -> None:
    series = make_series(24, InversionTime=0)
    series[5].InversionTime = 900.0

    with pytest.raises(IrregularSlices, match=r"differs from them in inversion time .900 ms against 0 ms."):
        read_dicom(encoded(series))
