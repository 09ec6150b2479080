"""What `/openapi.json` says of summaries, which are passed on as a worker of any version wrote them."""

from typing import Any

from pydantic.json_schema import models_json_schema

from disyre.summary_record import ShortSummary, Summary


def summary_schemas(ref_template: str) -> dict[str, dict[str, Any]]:
    """The schemas of `summary.json` and its parts, by name: open, as a newer worker may say more."""
    _, found = models_json_schema(
        [(Summary, "validation"), (ShortSummary, "validation")], ref_template=ref_template
    )
    return {
        name: {key: value for key, value in schema.items() if key != "additionalProperties"}
        for name, schema in found["$defs"].items()
    }
