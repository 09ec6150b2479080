"""The parameters in the query of a request that only reads: one that there is not is refused, not ignored."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError

from disyre.explanation import NO_SUCH_PARAMETER, parameter_in_words, shown

_READING: Final = ("GET", "HEAD")


async def _refuse_unknown(request: Request) -> None:
    """Raise RequestValidationError if there is a parameter that the route does not declare."""
    if request.method not in _READING:
        return  # options of a submission are checked with those of its form
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    unknown = [_error(name, known) for name in request.query_params if name not in known]
    if unknown:
        raise RequestValidationError(unknown)


def _error(name: str, known: list[str]) -> Mapping[str, Any]:
    return {
        "type": NO_SUCH_PARAMETER,
        "loc": ("query", shown(name, "another parameter")),
        "msg": parameter_in_words(name, known),
    }


KNOWN_PARAMETERS: Final = Depends(_refuse_unknown)
"""Of routes whose query holds what they declare, and nothing else."""
