"""Whose a DICOM image is and of which study, as results of it have to repeat it (pydicom).

It is kept as it is stored while a scan is read and scored, and becomes text only where results are written.
"""

import re
from io import BytesIO
from typing import Final

import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import Tag

_SUBJECT: Final = (
    *("SpecificCharacterSet", "AccessionNumber", "ReferringPhysicianName", "StudyDate", "StudyTime"),
    *("StudyID", "StudyDescription", "PatientSex", "PatientAge", "PatientSize", "PatientWeight"),
    *("IssuerOfPatientID", "PatientIdentityRemoved", "DeidentificationMethod"),
)
"""Beside what every image is read for."""
_READ_ANYWAY: Final = ("PatientName", "PatientID", "PatientBirthDate", "StudyInstanceUID")
TAGS: Final = frozenset(int(Tag(name)) for name in _SUBJECT)
"""What a reader of headers has to keep for `subject_of`."""
_IN_ALL: Final = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
"""What every result has, if only empty."""
_FORMS: Final = {
    **dict.fromkeys(("StudyDate", "PatientBirthDate"), r"\d{8}"),
    "StudyTime": r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?",
    "PatientSex": "[MFO]",
    "PatientAge": r"\d{3}[DWMY]",
    "StudyInstanceUID": r"[0-9.]{1,64}",
}
"""What values have to look like that others than people read."""


def subject_of(content: bytes) -> Dataset:
    """Patient and study, from the kept header of one image; what is missing or no such value is empty."""
    tags = [Tag(name) for name in (*_SUBJECT, *_READ_ANYWAY)]
    stored = pydicom.dcmread(BytesIO(content), specific_tags=tags)
    subject = Dataset()
    for name in (*_SUBJECT, *_READ_ANYWAY):
        value = _value(stored, name)
        if value is not None or name in _IN_ALL:
            setattr(subject, name, value)
    return subject


def _value(stored: Dataset, name: str) -> object:
    """A value that may be written again; None if there is none."""
    try:
        value = stored.get(name)
        if value in (None, "") or re.fullmatch(_FORMS.get(name, ".*"), str(value), re.DOTALL) is None:
            return None
    except (ValueError, TypeError, AttributeError, LookupError):
        return None
    return value
