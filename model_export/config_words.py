"""What is wrong with a config, in words: the section, the key, and the key that may have been meant."""

import dataclasses
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, get_args, get_type_hints

from pydantic import ValidationError

from disyre.field_words import in_words

_KIND: Final = "kind"
"""The key that says which of several forms a section has; the usual form has none."""


def wrong_in_words(error: ValidationError, root: type, values: Mapping[str, Any]) -> str:
    """All that is wrong with values for the dataclass `root`.

    Of a section that may have several forms only that is meant which was asked for.
    """
    described = (_described(one, root, values) for one in error.errors())
    return "; ".join(dict.fromkeys(words for words in described if words))


def _described(error: Mapping[str, Any], root: type, values: Mapping[str, Any]) -> str:
    """One error; nothing for one of a form that was not asked for."""
    owner: Any = root
    section: Any = root
    given: Any = values
    path: list[str] = []
    places = iter(error["loc"])
    for place in places:
        path.append(str(place))
        owner, hint = section, get_type_hints(section).get(place) if section else None
        given = given.get(place) if isinstance(given, Mapping) else None
        forms = [form for form in get_args(hint) if dataclasses.is_dataclass(form)]
        section = _asked(forms, given) if forms else hint if dataclasses.is_dataclass(hint) else None
        if forms and next(places, section.__name__) != section.__name__:
            return ""
    key = ".".join(path)
    words = _unknown(path[-1], owner) if error["type"] == "unexpected_keyword_argument" else in_words(error)
    return f"{key}: {words}" if key else words


def _asked(forms: Sequence[Any], given: object) -> Any:
    kind = given.get(_KIND) if isinstance(given, Mapping) else None
    usual = next(form for form in forms if not _kinds(form))
    return next((form for form in forms if kind in _kinds(form)), usual)


def _kinds(form: Any) -> tuple[str, ...]:
    """What `kind` may be in this form; nothing in the usual one."""
    return get_args(get_type_hints(form).get(_KIND))


def _unknown(key: str, owner: Any) -> str:
    known = [field.name for field in dataclasses.fields(owner)]
    near = get_close_matches(key, known, n=1)
    return f"no key that is known{f', {near[0]} is' if near else ''}"
