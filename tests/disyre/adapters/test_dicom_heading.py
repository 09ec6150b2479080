"""What an image says of itself, and what is no image."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
)

from disyre.adapters.dicom_heading import Fault, Named, NotAnImage, facts_of, read_heading
from disyre.eligibility import SeriesFacts
from tests.dicom_phantom import encoded, make_enhanced, make_series

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR UI")


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "image"
    path.write_bytes(content)
    return path


def image(**attributes: Any) -> Any:
    return make_series(1, **attributes)[0]


def refused(tmp_path: Path, content: bytes) -> NotAnImage:
    """Why a file is refused."""
    with pytest.raises(NotAnImage) as refusal:
        read_heading(written(tmp_path, content), classes=[MRImageStorage])
    return refusal.value


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless]
)
def test_a_heading_is_what_the_image_says_in_any_syntax(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    made = image(SeriesDescription="T1", Modality="MR", SliceThickness=2.5)

    heading = read_heading(written(tmp_path, encoded([made], syntax)[0]))

    assert (heading.sop_class, heading.sop_instance) == (MRImageStorage, made.SOPInstanceUID)
    assert heading.said == Named(MRImageStorage, made.SOPInstanceUID)
    assert (heading.study, heading.series) == (made.StudyInstanceUID, made.SeriesInstanceUID)
    assert facts_of([heading, heading]) == SeriesFacts("MR", "T1", 2, 2.5)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        *(("5", 5), ("0", 0), (" 301 ", 301), ("", None), ("5\\6", 5)),
        *((said, None) for said in ("20261128001", "1.5", "-1", "1e999", "inf", "nan", "Doe", "9" * 40)),
    ],
)
@pytest.mark.filterwarnings("ignore")  # of what makes it wrong
def test_the_number_of_a_series_is_a_label_if_it_is_a_short_number(
    tmp_path: Path, said: str, known: int | None
) -> None:
    made = image()
    made.add_new("SeriesNumber", "LO", said)  # as it comes, whatever it is

    heading = read_heading(written(tmp_path, encoded([made], ImplicitVRLittleEndian)[0]))

    assert heading.series_number == known
    assert facts_of([heading]).labels == ({} if known is None else {"series": str(known)})


def test_frames_and_their_thickness_are_those_of_an_enhanced_image(tmp_path: Path) -> None:
    made = make_enhanced(make_series(5))
    (silent,) = encoded([made])
    made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness = 1.5

    heading = read_heading(written(tmp_path, encoded([made])[0]))

    assert facts_of([heading]) == SeriesFacts("MR", made.SeriesDescription, 5, 1.5)
    assert read_heading(written(tmp_path, silent)).thickness_mm is None


def test_what_is_no_image_is_refused_with_what_is_known_of_it(tmp_path: Path) -> None:
    good = image()
    content = encoded([good])[0]
    said = Named(MRImageStorage, str(good.SOPInstanceUID))

    def fault_of(content: bytes) -> tuple[Fault, Named | None]:
        refusal = refused(tmp_path, content)
        return refusal.fault, refusal.said

    assert fault_of(b"") == fault_of(b"\0" * 500) == (Fault.DAMAGED, None)
    assert fault_of(content[:-20]) == fault_of(content[:400]) == (Fault.DAMAGED, said)
    assert fault_of(encoded([image(SOPClassUID=CTImageStorage)])[0])[0] is Fault.CLASS
    assert fault_of(content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.99"))[0] is Fault.SYNTAX
    thick = encoded([image(SliceThickness=1234567)])[0].replace(b"1234567", b"ZCANARY")
    assert fault_of(thick) == (Fault.DAMAGED, refused(tmp_path, thick).said)
    assert "CANARY" not in str(refused(tmp_path, thick))
    for change in ({"SeriesInstanceUID": "../etc"}, {"NumberOfFrames": -1}, {"Rows": 0}):
        assert fault_of(encoded([image(**change)])[0])[0] is Fault.DAMAGED


def test_a_file_whose_header_names_another_class_is_not_of_the_one_that_is_wanted(tmp_path: Path) -> None:
    made = image()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = CTImageStorage
    content = BytesIO()
    made.save_as(content, enforce_file_format=False)

    assert refused(tmp_path, content.getvalue()).fault is Fault.CLASS
    assert read_heading(written(tmp_path, content.getvalue())).sop_class == CTImageStorage


def test_a_header_of_the_file_that_names_nothing_is_no_harm(tmp_path: Path) -> None:
    made = image()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    del made.file_meta.MediaStorageSOPInstanceUID
    content = BytesIO()
    made.save_as(content, enforce_file_format=False)

    assert read_heading(written(tmp_path, content.getvalue())).said is None


def test_an_image_without_pixels_or_with_more_than_it_says_is_refused(tmp_path: Path) -> None:
    without, longer = image(), image()
    del without.PixelData
    longer.PixelData = bytes(10**6)

    assert "without pixels" in str(refused(tmp_path, encoded([without])[0]))
    assert "got more" in str(refused(tmp_path, encoded([longer])[0]))


def test_an_attribute_beyond_reason_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAnImage, match="headers of the usual size"):
        read_heading(written(tmp_path, encoded([image(SeriesDescription="A" * 10**4)])[0]))


def test_a_file_that_cannot_be_read_is_no_matter_of_images(tmp_path: Path) -> None:
    for path in (tmp_path / "none", Path("/proc/self/mem")):  # which has nothing at its beginning
        with pytest.raises(OSError):  # noqa: PT011
            read_heading(path)
