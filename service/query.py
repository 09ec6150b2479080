"""The parameters in the query of a request that only reads: an unknown one, or one twice, is refused."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from disyre.explanation import NO_SUCH_PARAMETER, TWICE, parameter_in_words, shown

_READING: Final = ("GET", "HEAD")


def refuse_unknown(request: Request) -> None:
    """Raise RequestValidationError if there is a parameter that the route does not declare, or one twice."""
    if request.method not in _READING:
        return  # options of a submission are checked with those of its form
    fields = request.scope["route"].dependant.query_params
    known = [field.alias for field in fields]
    once = [field.alias for field in fields if not _may_be_many(field.field_info.annotation)]
    counts = Counter(name for name, _ in request.query_params.multi_items())
    wrong = [_error(name, known) for name in counts if name not in known]
    wrong += [_twice(name) for name in once if counts[name] > 1]
    if wrong:
        raise RequestValidationError(wrong)


def _may_be_many(annotation: object) -> bool:
    """Whether a parameter may be given more than once."""
    return any(get_origin(kind) is list for kind in (annotation, *get_args(annotation)))


def _twice(name: str) -> Mapping[str, Any]:
    return {
        "type": TWICE,
        "loc": ("query", name),
        "msg": "expected this parameter once, got it more than once",
    }


def _error(name: str, known: list[str]) -> Mapping[str, Any]:
    return {
        "type": NO_SUCH_PARAMETER,
        "loc": ("query", shown(name, "another parameter")),
        "msg": parameter_in_words(name, known),
    }
