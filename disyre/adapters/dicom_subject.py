"""Whose a DICOM image is and of which study, as results of it have to repeat it (pydicom).

It is kept as it is stored while a scan is read and scored, and becomes text only where results are written.
What is no value of its kind is left out: results have to be readable, whatever a header says. So is text with
letters that are not of the character sets of the header; of a name, those of its spellings that have them.
A patient without a name is found by the rest, one with a false name is another.
"""

import re
from datetime import datetime
from io import BytesIO
from typing import Final

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from disyre.adapters.dicom_text import is_sure, text_of

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
_TEXTS: Final = ("SH", "LO", "PN")
"""Kinds whose letters are of the stated character sets; all others are ASCII (PS3.5 6.1.2.3)."""
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
    texts = {name: _formed(name, text) for name, text in _stated(content).items()}
    subject = Dataset()
    if not all(text.isascii() for text in texts.values()):
        subject.SpecificCharacterSet = _UTF8
    for name, text in texts.items():
        if text or name in _IN_ALL:
            setattr(subject, name, text or None)
    return subject


def unsure_of(content: bytes) -> tuple[str, ...]:
    """What `subject_of` leaves out, or a part of it, as its letters are not of the stated character sets."""
    texts = _stated(content).items()
    return tuple(name for name, text in texts if dictionary_VR(name) in _TEXTS and not is_sure(text))


def _stated(content: bytes) -> dict[str, str]:
    """All values as text, by their names."""
    names = (*_SUBJECT, *_READ_ANYWAY)
    stored = pydicom.dcmread(BytesIO(content), specific_tags=[Tag(name) for name in (_CHARACTERS, *names)])
    characters = _characters(stored)
    return {
        name: text_of(_bytes(stored, name), characters, is_name=_is_name(name)).strip(" \0") for name in names
    }


def _characters(stored: Dataset) -> list[str]:
    """The character sets; pydicom has parsed them, whatever else it leaves as it is."""
    value = stored.get(_CHARACTERS) or ""
    return [value] if isinstance(value, str) else list(map(str, value))


def _bytes(stored: Dataset, name: str) -> bytes:
    """A value as it is stored, without padding; nothing if there is none."""
    element = stored.get_item(Tag(name))
    value = element.value if element is not None else None
    return value.strip(b" \0") if isinstance(value, bytes) else b""


def _formed(name: str, text: str) -> str:
    """A value of which all is sure; nothing if it is no value of its kind."""
    if _is_name(name):
        groups = [group if is_sure(group) else "" for group in text.split("=")]
        text = "=".join(groups) if any(groups) else ""
    kind = dictionary_VR(name)
    if not is_sure(text) or re.fullmatch(_FORMS.get(name) or _FORMS[kind], text) is None:
        return ""
    return "" if kind == "DA" and not _is_day(text) else text


def _is_name(name: str) -> bool:
    return dictionary_VR(name) == "PN"


def _is_day(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return False
    return True
