"""DICOM as JSON (PS3.18, F): its media type, and what OpenAPI says of it."""

from typing import Any, Final

from fastapi.responses import JSONResponse

MEDIA_TYPE: Final = "application/dicom+json"


class DicomJsonResponse(JSONResponse):
    """A data set, or a list of them."""

    media_type = MEDIA_TYPE


DATASET: Final[dict[str, Any]] = {
    "type": "object",
    "description": "a data set in the DICOM JSON model: its elements by their tags",
    "propertyNames": {"pattern": "^[0-9A-F]{8}$"},
    "additionalProperties": {
        "type": "object",
        "required": ["vr"],
        "properties": {"vr": {"type": "string", "pattern": "^[A-Z]{2}$"}, "Value": {"type": "array"}},
    },
}
"""The schema of a data set."""


def content(schema: dict[str, Any], *examples: tuple[str, Any]) -> dict[str, Any]:
    """The `content` of a response, with examples by their names."""
    return {
        "content": {
            MEDIA_TYPE: {"schema": schema, "examples": {name: {"value": value} for name, value in examples}}
        }
    }
