"""What the JSON of the standard has lost of reports: which items include which macro, and items of items."""

from typing import Any, Final, TypeAlias

from dicom_validator.spec_reader.condition import Condition, ConditionOperator, ConditionType

Info: TypeAlias = dict[str, Any]
"""What dicom-validator is told of an IOD, a module, a macro or an attribute."""

_VALUES: Final = {
    "NUM": "numeric-measurement macro",
    "CODE": "code macro",
    "COMPOSITE": "composite-object-reference macro",
    "IMAGE": "image-reference macro",
    "WAVEFORM": "waveform-reference macro",
    "SCOORD": "spatial-coordinates macro",
    "SCOORD3D": "3d-spatial-coordinates macro",
    "TCOORD": "temporal-coordinates macro",
    "CONTAINER": "container macro",
}
"""The macro that an item includes if and only if its value is of the type (table C.17-5)."""
_CONTENT: Final = "document-content macro"
_RELATIONSHIP: Final = "document-relationship macro"
REPORT_MACROS: Final = frozenset({_CONTENT, _RELATIONSHIP, *_VALUES.values()})


def include_in_reports(described: dict[str, Info]) -> None:
    """Have reports and their items include macros, which are written out there once and unconditionally."""
    every = described[_CONTENT]
    of_values = {tag for macro in _VALUES.values() for tag in described[macro]}
    described[_CONTENT] = {tag: attribute for tag, attribute in every.items() if tag not in of_values} | {
        "include": [{"ref": macro, "cond": _is_of(value)} for value, macro in _VALUES.items()]
    }
    content = described[_RELATIONSHIP]["(0040,A730)"]
    both = {"include": [{"ref": _CONTENT}, {"ref": _RELATIONSHIP}]}
    content["items"] = {tag: each for tag, each in content["items"].items() if tag not in every} | both
    described["sr-document-content"] = both


def _is_of(value_type: str) -> Condition:
    return Condition(
        ConditionType.MandatoryOrNotAllowed, ConditionOperator.EqualsValue, "(0040,A040)", values=[value_type]
    )
