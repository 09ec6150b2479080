"""What is wrong with a file of rules, in words: which rule, which key, and which one may have been meant."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from disyre.field_words import in_words
from disyre.nearest import nearest

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_KINDS: Final = {"rules": "rule", "destinations": "destination"}


def wrong_in_words(
    error: ValidationError, content: Mapping[str, Any], known: Mapping[str, type[BaseModel]]
) -> str:
    """All that is wrong with what a file holds; `known` are the models of its parts, "" that of the whole."""
    return "; ".join(_words(each, content, known) for each in _causes(error.errors(include_url=False)))


def _causes(errors: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """Without those that only follow from another one: a list is too short without its wrong values."""
    places = [each["loc"] for each in errors]
    for each in errors:
        n = len(each["loc"])
        follows = any(len(place) > n and place[:n] == each["loc"] for place in places)
        if not (each["type"] == "too_short" and follows):
            yield each


def _words(error: Mapping[str, Any], content: Mapping[str, Any], known: Mapping[str, type[BaseModel]]) -> str:
    part, *inside = error["loc"] or ("",)
    model = known[""]
    place = [str(part)] if part else ["the file"]
    if part in _KINDS and inside:
        place, model = [_named(str(part), inside[0], content)], known[str(part)]
        inside = inside[1:]
    keys = [str(each) for each in inside if not isinstance(each, int) and each != "[key]"]
    words = in_words(error)
    if error["type"] == "extra_forbidden":
        meant = nearest(str(error["loc"][-1]), model.model_fields)
        words += f"; the nearest known one is {meant}" if meant else ""
    return ": ".join([*place, *keys, words])


def _named(part: str, which: str | int, content: Mapping[str, Any]) -> str:
    """A rule or a destination by its name; a rule that has none by its place in the file."""
    if isinstance(which, str):
        return f"{_KINDS[part]} {which}" if _NAME.fullmatch(which) else f"the name of a {_KINDS[part]}"
    given = content[part][which]
    name = given.get("name") if isinstance(given, Mapping) else None
    if isinstance(name, str) and _NAME.fullmatch(name):
        return f"{_KINDS[part]} {name}"
    return f"{_KINDS[part]} {which + 1} of the file"
