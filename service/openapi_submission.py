"""The bodies of a submission as `/openapi.json` says them; they are streamed, so no signature tells them."""

import json
from typing import Any, Final

from service.openapi_callback import CALLBACK
from service.openapi_headers import taken
from service.openapi_options import (
    OPTIONS,
    OPTIONS_OF_A_STUDY,
    OPTIONS_SCHEMA,
    STUDY_OPTIONS_SCHEMA,
)
from service.pull_request import EXAMPLE as PULL_EXAMPLE
from service.pull_request import MEDIA_TYPE as PULL_TYPE
from service.pull_request import SCHEMA as PULL_SCHEMA

_BYTES: Final = {"type": "string", "format": "binary"}
_NOT_EMPTY: Final = {**_BYTES, "minLength": 1}
_SHOWN: Final = "(bytes)"
_MASK: Final = {**_NOT_EMPTY, "description": "brain mask as NIfTI, on the grid of the scan"}
_LABELS: Final = {"labels": {"cohort": "a"}}

_ANY: Final = "application/octet-stream"
_GZIP: Final = ("application/gzip", "application/x-gzip")
_DICOM: Final = ("application/zip", "application/x-zip", "application/x-zip-compressed", "application/dicom")
_FROM_CURL: Final = "application/x-www-form-urlencoded"


def _raw(what: str, *media_types: str) -> dict[str, Any]:
    """Bodies that are one file: what that is, and as what it may be sent."""
    of_curl = {
        **_NOT_EMPTY,
        "description": "the file as it is, in spite of the name: for `curl --data-binary`",
    }
    return {
        _ANY: {"schema": {**_NOT_EMPTY, "description": what}},
        **{media_type: {"schema": _NOT_EMPTY} for media_type in media_types},
        _FROM_CURL: {"schema": of_curl},
    }


def _form(
    files: str, options: str, examples: dict[str, tuple[str, dict[str, Any]]], **parts: Any
) -> dict[str, Any]:
    """A form with a scan, its options by the name of their schema, and other parts; no more are taken."""
    properties = {
        "file": {"type": "array", "items": _BYTES, "minItems": 1, "description": files},
        **parts,
        "params": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": f"#/components/schemas/{options}"},
            "description": "one JSON object: the options of the query, which it goes before, and `labels`",
        },
    }
    return {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": properties,
                "additionalProperties": False,
            },
            "examples": {name: {"summary": what, "value": value} for name, (what, value) in examples.items()},
        }
    }


def _params(**options: Any) -> dict[str, str]:
    return {"params": json.dumps(options)}


_OF_A_SCAN: Final = {
    **_form(
        "one NIfTI, one zip of DICOM, or the DICOM files of one series",
        OPTIONS_SCHEMA,
        {
            "nifti": ("a NIfTI with options", {"file": [_SHOWN], **_params(model="t1w", **_LABELS)}),
            "masked": ("a NIfTI and a mask of its brain", {"file": [_SHOWN], "mask": _SHOWN}),
            "series": ("the DICOM files of a series", {"file": [_SHOWN] * 3}),
        },
        mask=_MASK,
    ),
    **_raw("one NIfTI, one zip of DICOM, or one DICOM file that holds all images", *_GZIP, *_DICOM),
}
_OF_A_STUDY: Final = {
    **_form(
        "one zip of DICOM, or the DICOM files of one or more series of a study",
        STUDY_OPTIONS_SCHEMA,
        {"study": ("a zip of DICOM with options", {"file": [_SHOWN], **_params(priority="low", **_LABELS)})},
    ),
    **_raw("one zip of DICOM, or one DICOM file that holds all images", *_DICOM),
}

_SENT_ONCE: Final = taken("Idempotency-Key")
_CHECKED: Final = taken("Content-Digest")
SUBMISSION: Final[dict[str, Any]] = {
    "parameters": [*OPTIONS, *_SENT_ONCE, *_CHECKED],
    "callbacks": CALLBACK,
    "requestBody": {"required": True, "content": _OF_A_SCAN},
}
"""Options and bodies of an upload that is one scan."""
JOB_SUBMISSION: Final[dict[str, Any]] = {
    **SUBMISSION,
    "requestBody": {
        "required": True,
        "content": {
            **_OF_A_SCAN,
            PULL_TYPE: {"schema": PULL_SCHEMA, "examples": {"series of an archive": {"value": PULL_EXAMPLE}}},
        },
    },
}
"""Options and bodies of a job: the same, or a series that is fetched."""
STUDY_SUBMISSION: Final[dict[str, Any]] = {
    "parameters": [*OPTIONS_OF_A_STUDY, *_SENT_ONCE, *_CHECKED],
    "callbacks": CALLBACK,
    "requestBody": {"required": True, "content": _OF_A_STUDY},
}
"""The same for a study, which is DICOM, and whose series have grids of their own: without a mask."""
INSPECTION: Final[dict[str, Any]] = {
    "parameters": [*OPTIONS, *_CHECKED],
    "requestBody": SUBMISSION["requestBody"],
}
"""The same for an upload of which no job is made."""
