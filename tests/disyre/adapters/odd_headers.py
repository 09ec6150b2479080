"""Headers with values that are none, such as scans come with."""

from typing import Final

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset
from pydicom.tag import Tag

ODD_VALUES: Final = [
    ("PatientSex", "X"),
    ("PatientAge", "42"),
    ("StudyDate", "yesterday"),
    ("StudyTime", "noon"),
    ("PatientBirthDate", "19999999999"),
    ("SpecificCharacterSet", "ISO_IR 192"),
    ("StudyInstanceUID", ""),
    ("FrameOfReferenceUID", ""),
    ("AccessionNumber", "x" * 3000),
    ("PatientName", "Müller^Jörg".encode().decode("latin-1")),
    ("PatientName", "no caret in it"),
    ("PatientName", "a\\b"),
    ("PatientName", "^".join("abcdefgh")),
    ("ReferringPhysicianName", "x" * 65),
    ("SpecificCharacterSet", "NONSENSE"),
    ("StudyDate", "20201399"),
    ("StudyTime", "256161"),
    ("StudyID", "x" * 17),
    ("PatientSize", "tall"),
    ("PatientIdentityRemoved", "maybe"),
    ("FrameOfReferenceUID", "none"),
    ("SOPInstanceUID", "none"),
]
"""Name of an attribute, and what stands there in Latin-1."""


def with_odd_value(images: list[FileDataset], name: str, value: str) -> list[FileDataset]:
    """Images in whose header it stands, unchecked."""
    tag = Tag(name)
    for image in images:
        stored = value.encode("latin-1") + b" " * (len(value) % 2)
        image[tag] = RawDataElement(tag, dictionary_VR(tag), len(stored), stored, 0, False, True)
    return images
