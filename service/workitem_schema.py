"""What bodies about workitems have in them, as the OpenAPI document says it (PS3.18, 11; PS3.18, F)."""

from collections.abc import Mapping
from typing import Any, Final

from disyre.series_uid import SERIES_UID
from service.dicom_json import DATASET
from service.workitems import PRIORITIES, STATES

Schema = dict[str, Any]


def _element(vr: str, value: Schema) -> Schema:
    """An element with one value."""
    values = {"type": "array", "minItems": 1, "maxItems": 1, "items": value}
    return {
        "type": "object",
        "required": ["vr", "Value"],
        "properties": {"vr": {"type": "string", "enum": [vr]}, "Value": values},
    }


def _dataset(elements: Mapping[str, Schema], *required: str) -> Schema:
    """A data set of which some elements are looked at; others may be there."""
    return {**DATASET, "properties": dict(elements), "required": list(required)}


_UID: Final = _element("UI", {"type": "string", "pattern": SERIES_UID})
_INPUT: Final = _dataset(
    {
        "0020000D": _UID,
        "0020000E": _UID,
        "00081199": {
            "type": "object",
            "required": ["vr"],
            "properties": {
                "vr": {"type": "string", "enum": ["SQ"]},
                "Value": {"type": "array", "items": _dataset({"00081155": _UID}, "00081155")},
            },
        },
    },
    "0020000D",
    "0020000E",
)
WORKITEM_SCHEMA: Final = _dataset(
    {
        "00404021": _element("SQ", _INPUT),
        "00741000": _element("CS", {"type": "string", "enum": ["SCHEDULED"]}),
        "00741200": _element("CS", {"type": "string", "enum": list(PRIORITIES)}),
    },
    "00404021",
)
"""A new workitem: the series that is to be scored."""
STATE_SCHEMA: Final = _dataset(
    {
        "00081195": _UID,
        "00741000": _element(
            "CS", {"type": "string", "enum": [state for state in STATES if state != "SCHEDULED"]}
        ),
    },
    "00081195",
    "00741000",
)
"""A change of state."""
