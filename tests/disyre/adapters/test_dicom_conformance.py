"""Results as DICOM: dicom-validator finds in them what the standard asks for, and nothing that it forbids."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pydicom
import pytest
from dicom_validator.validator.dicom_info import DicomInfo
from dicom_validator.validator.error_handler import NullValidationResultHandler
from dicom_validator.validator.iod_validator import IODValidator
from dicom_validator.validator.validation_result import Status
from pydicom import uid
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from tests.dicom_phantom import make_series
from tests.disyre.adapters.dicom_scored import SERIES, SHAPE, score
from tests.disyre.adapters.dicom_standard import read_standard
from tests.disyre.adapters.odd_headers import ODD_VALUES, with_odd_value

SOP_CLASSES: Final = (
    uid.ParametricMapStorage,
    uid.SegmentationStorage,
    uid.SecondaryCaptureImageStorage,
    uid.Comprehensive3DSRStorage,
)
PLACE: Final = {
    "General: FrameOfReferenceUID TagUnexpected",
    "General: PositionReferenceIndicator TagUnexpected",
    "General: ImagePositionPatient TagUnexpected",
    "General: ImageOrientationPatient TagUnexpected",
    "General: SliceThickness TagUnexpected",
}
"""All that is let pass, in captures alone. Their IOD has no module for a place, but an object may have more
of the standard's attributes than its IOD has: it is of a Standard Extended SOP Class then (PS3.2), of which
dicom-validator knows nothing."""

SHARED: Final = "SharedFunctionalGroupsSequence"
EACH: Final = "PerFrameFunctionalGroupsSequence"
NUM: Final = "sr-document-content: ContentSequence/ContentSequence/ContentSequence"
MISSING: Final = object()


@pytest.fixture(scope="module")
def standard() -> DicomInfo:
    return read_standard(SOP_CLASSES)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of an axial series."""
    return score(make_series(8, shape=SHAPE), tmp_path_factory.mktemp("results")).folder


@pytest.mark.parametrize("name", SERIES)
def test_dicom_validator_finds_no_error(name: str, standard: DicomInfo, tmp_path: Path) -> None:
    folder = score(SERIES[name](), tmp_path).folder

    assert [_errors(result, standard) for result in _read(folder)] == [set(), set(), set(), PLACE]


@pytest.mark.parametrize(("name", "value"), ODD_VALUES)
@pytest.mark.filterwarnings("ignore")  # of what writes the series
def test_dicom_validator_finds_no_error_where_a_header_has_values_that_are_none(
    name: str, value: str, standard: DicomInfo, tmp_path: Path
) -> None:
    images = with_odd_value(make_series(8, shape=SHAPE), name, value)
    folder = score(images, tmp_path, kinds=("pm", "seg", "sr")).folder

    assert not _errors(pydicom.dcmread(folder / "pm.dcm"), standard)
    assert not _errors(pydicom.dcmread(folder / "sr.dcm"), standard)


@pytest.mark.parametrize(
    ("path", "name", "value", "error"),
    [
        # Attributes of type 1, 1C and 2 that are missing, empty, or no value of their type.
        ("pm", "ContentLabel", MISSING, "parametric-map-image: ContentLabel TagMissing"),
        ("pm", "ContentLabel", "", "parametric-map-image: ContentLabel TagEmpty"),
        ("seg", "ContentCreatorName", MISSING, "segmentation-image: ContentCreatorName TagMissing"),
        ("sc", "ConversionType", MISSING, "sc-equipment: ConversionType TagMissing"),
        ("sc", "PlanarConfiguration", MISSING, "image-pixel: PlanarConfiguration TagMissing"),
        ("seg", "PatientAge", "42", "patient-study: PatientAge InvalidValue"),
        # Values that are not enumerated: at once, under a condition, and in a section that is referred to.
        ("seg", "PatientSex", "X", "patient: PatientSex EnumValueNotAllowed"),
        ("seg", "BitsAllocated", 8, "segmentation-image: BitsAllocated EnumValueNotAllowed"),
        ("sc", "PlanarConfiguration", 2, "image-pixel: PlanarConfiguration EnumValueNotAllowed"),
        # Functional groups: one that is missing, in the wrong sequence or in both, and what belongs to none.
        (
            f"pm/{SHARED}",
            "PixelMeasuresSequence",
            MISSING,
            f"pixel-measures: {SHARED}/PixelMeasuresSequence TagMissing",
        ),
        (
            f"pm/{SHARED}",
            "FrameContentSequence",
            [],
            f"frame-content: {SHARED}/FrameContentSequence TagNotAllowed",
        ),
        (
            f"pm/{SHARED}",
            "PatientName",
            "A^B",
            f"multi-frame-functional-groups: {SHARED}/PatientName TagUnexpected",
        ),
        (
            f"seg/{EACH}",
            "FrameContentSequence",
            MISSING,
            f"frame-content: {EACH}/FrameContentSequence TagMissing",
        ),
        # Items of a report, three below its root: what their types of value ask for, and what they forbid.
        ("sr/NUM", "MeasuredValueSequence", MISSING, f"{NUM}/MeasuredValueSequence TagMissing"),
        ("sr/NUM", "GraphicData", [1.0, 2.0], f"{NUM}/GraphicData TagUnexpected"),
        ("sr/NUM", "RelationshipType", "HAS", f"{NUM}/RelationshipType EnumValueNotAllowed"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # of what makes it wrong
def test_dicom_validator_finds_what_is_made_wrong(
    path: str, name: str, value: object, error: str, standard: DicomInfo, results: Path
) -> None:
    file, *steps = path.split("/")
    result = dict(zip(("pm", "seg", "sr", "sc"), _read(results), strict=True))[file]
    item = result
    for step in steps:
        item = next(_measurements(result)) if step == "NUM" else item[step][-1]

    if value is MISSING:
        delattr(item, name)
    else:
        setattr(item, name, value)

    assert _errors(result, standard) - PLACE == {error}


def _read(folder: Path) -> Iterator[Dataset]:
    """The map, the segments, the report, and one of the captures."""
    for name in ("pm.dcm", "seg.dcm", "sr.dcm"):
        yield pydicom.dcmread(folder / name)
    with zipfile.ZipFile(folder / "sc.zip") as archive, archive.open(archive.namelist()[3]) as file:
        yield pydicom.dcmread(file)


def _errors(result: Dataset, standard: DicomInfo) -> set[str]:
    """Each as its module, the path of the attribute, and what is wrong with it."""
    found = IODValidator(result, standard, error_handler=NullValidationResultHandler()).validate()
    assert found.status in (Status.Passed, Status.Failed), found.status
    return {
        f"{module}: {'/'.join(map(keyword_for_tag, (*(tag.parents or ()), tag.tag)))} {error.code.name}"
        for module, errors in found.module_errors.items()
        for tag, error in errors.items()
    }


def _measurements(item: Dataset) -> Iterator[Dataset]:
    """The items of a report that are numbers."""
    for each in item.get("ContentSequence", ()):
        if each.ValueType == "NUM":
            yield each
        yield from _measurements(each)
