"""Whose a DICOM image is and of which study, as results of it have to repeat it (pydicom).

It is kept as it is stored while a scan is read and scored, and becomes text only where results are written.
What is no value of its kind is left out: results have to be readable, whatever a header says.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Final

import pydicom
from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

_CHARACTERS: Final = "SpecificCharacterSet"
_UTF8: Final = "ISO_IR 192"
_SUBJECT: Final = (
    *("AccessionNumber", "ReferringPhysicianName", "StudyDate", "StudyTime"),
    *("StudyID", "StudyDescription", "PatientSex", "PatientAge", "PatientSize", "PatientWeight"),
    *("IssuerOfPatientID", "PatientIdentityRemoved", "DeidentificationMethod"),
)
"""Beside what every image is read for."""
_READ_ANYWAY: Final = ("PatientName", "PatientID", "PatientBirthDate", "StudyInstanceUID")
TAGS: Final = frozenset(int(Tag(name)) for name in (_CHARACTERS, *_SUBJECT))
"""What a reader of headers has to keep for `subject_of`."""
_IN_ALL: Final = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
"""What every result has, if only empty."""
_LETTER: Final = r"[^\\\x00-\x1f\x7f-\x9f]"
_PART: Final = r"[^\\\x00-\x1f\x7f-\x9f=^]*"
_GROUP: Final = rf"(?=[^=]{{0,64}}(?:=|$)){_PART}(?:\^{_PART}){{0,4}}"
_FORMS: Final = {
    "SH": rf"{_LETTER}{{1,16}}",
    "LO": rf"{_LETTER}{{1,64}}",
    "PN": rf"{_GROUP}(?:={_GROUP}){{0,2}}",
    "DA": r"\d{8}",
    "TM": r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?",
    "AS": r"\d{3}[DWMY]",
    "DS": r"(?=.{1,16}$)\d+(\.\d*)?",
    "UI": r"[0-9.]{1,64}",
    "PatientSex": "[MFO]",
    "PatientIdentityRemoved": "YES|NO",
}
"""What values have to look like, by their kind or their name (PS3.5 6.2)."""


def subject_of(content: bytes) -> Dataset:
    """Patient and study, from the kept header of one image; what is missing or no such value is empty."""
    names = (*_SUBJECT, *_READ_ANYWAY)
    stored = pydicom.dcmread(BytesIO(content), specific_tags=[Tag(name) for name in (_CHARACTERS, *names)])
    characters = _known(_bytes(stored, _CHARACTERS).decode("latin-1").split("\\"))
    texts = {name: _text(_bytes(stored, name), name, characters) for name in names}
    subject = Dataset()
    if not characters and not all(text.isascii() for text in texts.values()):
        characters = [_UTF8]
    if characters:
        subject.SpecificCharacterSet = characters
    for name, text in texts.items():
        if text or name in _IN_ALL:
            setattr(subject, name, text or None)
    return subject


def _bytes(stored: Dataset, name: str) -> bytes:
    """A value as it is stored; nothing if there is none."""
    element = stored.get_item(Tag(name))
    value = element.value if element is not None else None
    return value if isinstance(value, bytes) else str(value or "").encode("latin-1", "replace")


def _known(stated: Sequence[str]) -> list[str]:
    """The character sets of a header; none if it names one that there is not."""
    found = [each.strip(" \0") for each in stated]
    return found if all(each in python_encoding for each in found) and any(found) else []


def _text(value: bytes, name: str, characters: Sequence[str]) -> str:
    """A value as text; nothing if it is no value of its kind."""
    kind = dictionary_VR(name)
    delimiters = PN_DELIMS if kind == "PN" else TEXT_VR_DELIMS
    text = decode_bytes(value, convert_encodings(list(characters)), delimiters).strip(" \0")
    if re.fullmatch(_FORMS.get(name) or _FORMS[kind], text) is None or (kind == "DA" and not _is_day(text)):
        return ""
    return text


def _is_day(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return False
    return True
