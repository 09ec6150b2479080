"""The options of a submission as `/openapi.json` says them: as a query spells them, and as JSON in a form.

They are said more narrowly than the options that come back with a job, which may be from before a rule.
"""

from typing import Any, Final, get_args

from disyre.job_params import JobParams
from disyre.model_manifest import MODEL_NAME, VERSION
from disyre.outputs import Output
from service.study import OF_ONE_SERIES

OPTIONS_SCHEMA: Final = "JobOptions"
STUDY_OPTIONS_SCHEMA: Final = "StudyOptions"
_ONLY_IN_FORMS: Final = "labels"
_NULL: Final = {"type": "null"}
_FRACTION: Final = r"0?\.[0-9]{0,20}[1-9][0-9]{0,20}"
_POWER: Final = r"[1-9](\.[0-9]{1,20})?[eE]-(0?[1-9]|[1-9][0-9])"
_SEVERITY: Final = rf"({_FRACTION}|1(\.0{{0,20}})?|{_POWER})"
_MOST_SEVERITIES: Final = 100
_SEVERITIES: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": rf"^{_SEVERITY}(,{_SEVERITY}){{0,{_MOST_SEVERITIES - 1}}}$",
}
_OUTPUT: Final = f"({'|'.join(get_args(Output))})"
_SPELLED: Final[dict[str, dict[str, Any]]] = {
    "severities": _SEVERITIES,
    "outputs": {"type": "string", "pattern": f"^{_OUTPUT}(,{_OUTPUT})*$"},
}
"""What a query spells in another way than JSON."""
_URL: Final = r'^https?://[!-"$-.0->A-~]+([/?][!-"$-~]*)?$'
_NARROWER: Final[dict[str, dict[str, Any]]] = {
    "model": {"pattern": MODEL_NAME},
    "version": {"pattern": VERSION},
    "callback": {"pattern": _URL},
}
"""Of texts: what no request with another value can be accepted with."""
_MORE: Final = {
    "severities": " In a query, numbers above 0 and at most 1 with commas between them.",
    "outputs": f" In a query, of {', '.join(get_args(Output))}, with commas between them.",
    "callback": (
        " Begins with `https://`, or `http://` for the API's own machine; at a host that the operator has "
        "listed."
    ),
}
_NO_CONTROL: Final = r"\u0000-\u001f\u007f-\u009f"
_LABELS: Final[dict[str, Any]] = {
    "type": "object",
    "maxProperties": 20,
    "propertyNames": {"minLength": 1, "maxLength": 200, "pattern": f"^[^:{_NO_CONTROL}]*$"},
    "additionalProperties": {"type": "string", "maxLength": 200, "pattern": f"^[^{_NO_CONTROL}]*$"},
}
_EXAMPLES: Final[dict[str, Any]] = {
    "model": "t1w",
    "version": "5",
    "modality": "T1w",
    "mode": "ensemble",
    "severities": "0.6,0.25",
    "outputs": "nifti,pm,seg",
    "bias_correction": False,
    "align": False,
    "threshold": 0.05,
    "series_uid": "1.2.840.1",
    "volume_index": 0,
    "priority": "normal",
    "retention_s": 86_400,
}
"""Which go together; not of `preset`, which excludes others, and of `callback` and `export`, which
need an operator."""
_PRESET_ALONE: Final[dict[str, Any]] = {
    "if": {"properties": {"preset": {"type": "string"}}, "required": ["preset"]},
    "then": {
        "properties": {
            "severities": {"type": "null"},
            **{name: {"enum": [False, None]} for name in ("bias_correction", "align")},
        }
    },
}


def _fields() -> dict[str, dict[str, Any]]:
    """The options, with what is known of each beyond its type."""
    fields: dict[str, dict[str, Any]] = JobParams.model_json_schema()["properties"]
    return {
        name: {**field, "description": field["description"] + _MORE.get(name, "")}
        for name, field in fields.items()
    }


def _parameter(name: str, field: dict[str, Any]) -> dict[str, Any]:
    """A parameter of a query; that none is the same as null is left out, as a query has no null."""
    schema = next((each for each in field.get("anyOf", ()) if each.get("type") != "null"), field)
    kept = {key: value for key, value in schema.items() if key not in ("title", "description", "default")}
    spelled = _SPELLED.get(name) or {**kept, **_NARROWER.get(name, {})}
    example = {"example": _EXAMPLES[name]} if name in _EXAMPLES else {}
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": field["description"],
        "schema": spelled,
        **example,
    }


def _in_json(name: str, field: dict[str, Any]) -> dict[str, Any]:
    """An option in the JSON of a form."""
    if name == _ONLY_IN_FORMS:
        return {"description": field["description"], **_LABELS}
    kinds = [
        {**kind, **_NARROWER.get(name, {})} if kind != _NULL else kind for kind in field.get("anyOf", ())
    ]
    if name == "callback":
        address = {"type": "object", "properties": {"url": kinds[0]}, "required": ["url"]}
        kinds.append({**address, "additionalProperties": False})
    return {**field, "anyOf": kinds} if kinds else field


OPTIONS: Final = [_parameter(name, field) for name, field in _fields().items() if name != _ONLY_IN_FORMS]
"""Of a job."""
OPTIONS_OF_A_STUDY: Final = [each for each in OPTIONS if each["name"] not in OF_ONE_SERIES]
"""Those that fit all series of a study."""


def option_schemas() -> dict[str, Any]:
    """The options in the JSON of a form, of a job and of a study, by the names of their schemas."""
    fields = {name: _in_json(name, field) for name, field in _fields().items()}
    of_a_study = {name: field for name, field in fields.items() if name not in OF_ONE_SERIES}
    return {
        OPTIONS_SCHEMA: {
            **_object(fields),
            "description": "The options of a job.",
            "examples": [{"model": "t1w", "threshold": 0.05, "labels": {"cohort": "a"}}],
        },
        STUDY_OPTIONS_SCHEMA: {
            **_object(of_a_study),
            "description": "The options of all jobs of a study.",
            "examples": [{"priority": "low", "labels": {"cohort": "a"}}],
        },
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False, **_PRESET_ALONE}
