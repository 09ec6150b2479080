"""The options of a submission as `/openapi.json` says them: those of a job, as a query spells them."""

from typing import Any, Final

from disyre.job_params import JobParams

_ONLY_IN_FORMS: Final = "labels"
_OF_ONE_SERIES: Final = ("model", "version", "modality", "series_uid", "volume_index")
_SPELLED: Final[dict[str, dict[str, Any]]] = {
    "severities": {"type": "string", "description": "numbers above 0, at most 1, with commas between them"},
}
"""What a query spells in another way than JSON."""


def _parameters() -> list[dict[str, Any]]:
    fields: dict[str, dict[str, Any]] = JobParams.model_json_schema()["properties"]
    return [_parameter(name, field) for name, field in fields.items() if name != _ONLY_IN_FORMS]


def _parameter(name: str, field: dict[str, Any]) -> dict[str, Any]:
    """A parameter of a query; that none is the same as null is left out, as a query has no null."""
    schema = next((each for each in field.get("anyOf", ()) if each.get("type") != "null"), field)
    schema = {key: value for key, value in schema.items() if key not in ("title", "description", "default")}
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": field["description"],
        "schema": _SPELLED.get(name, schema),
    }


OPTIONS: Final = _parameters()
"""Of a job."""
OPTIONS_OF_A_STUDY: Final = [each for each in OPTIONS if each["name"] not in _OF_ONE_SERIES]
"""Those that fit all series of a study."""
