"""The options of a job as a request spells them: in its query, or as JSON in a form."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterable
from typing import Any, Final

from pydantic_core import from_json

from disyre.errors import InvalidParams

_LISTS: Final = ("severities", "outputs")
"""Options with several values."""


def query_options(query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The options of a job as a query spells them: lists have commas in them.

    Raises InvalidParams if one is there twice.

    >>> query_options([("model", "t1w"), ("severities", "0.8,0.2")])
    {'model': 't1w', 'severities': ['0.8', '0.2']}
    """
    options: dict[str, Any] = {}
    for name, value in query:
        if name in options:
            raise InvalidParams("expected each option once in the query, got one twice")
        options[name] = value.split(",") if name in _LISTS else value
    return options


def parse_params(text: bytes) -> dict[str, Any]:
    """The options in a form. Raises InvalidParams, also if a name is there twice."""
    return read_object(text, "'params'") if text else {}


def read_object(text: bytes, what: str) -> dict[str, Any]:
    """An object of JSON; a mark of its encoding before it is ignored (RFC 8259, 8.1).

    Raises InvalidParams, also if it has a name twice: which one is meant is not guessed.
    """

    def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise InvalidParams(f"expected each name once in {what}, got one twice")
        return found

    text = text.removeprefix(BOM_UTF8)
    try:
        from_json(text, allow_inf_nan=False)  # refuses what is nested beyond reason, too
        options = json.loads(text, object_pairs_hook=once_each)
    except ValueError as error:
        raise InvalidParams(f"expected {what} to be JSON") from error
    if not isinstance(options, dict):
        raise InvalidParams(f"expected {what} to be a JSON object")
    return options
