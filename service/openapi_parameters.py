"""Examples of parameters, as FastAPI takes them."""

from typing import Final

from fastapi.openapi.models import Example

JOB_ID: Final = "019b7a00-0000-7000-8000-000000000001"
"""Of no job that there is."""


def shown(value: object) -> dict[str, Example]:
    """The one example of a parameter."""
    return {"such": {"value": value}}
