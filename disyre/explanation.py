"""What is wrong with a request, and which options and parameters there are."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from disyre import field_words
from disyre.nearest import nearest

_LIKE_A_NAME: Final = re.compile(r"[a-z_-]{1,30}")
"""What an option may be called; what is sent as one, and looks otherwise, might be about a patient."""

NO_SUCH_PARAMETER: Final = "no_such_parameter"
"""The type of the error for a parameter that there is not."""
TWICE: Final = "twice"
"""The type of the error for a parameter that may be there once."""
_OUR_OWN: Final = {"cursor", "label", "time", NO_SUCH_PARAMETER, TWICE}
"""Types of checks that are no pydantic's, and speak for themselves."""


def in_words(error: Mapping[str, Any]) -> str:
    """One error of a request, as what was expected and what came."""
    return str(error["msg"]) if error["type"] in _OUR_OWN else field_words.in_words(error)


def options_in_words(errors: Sequence[Mapping[str, Any]], known: Sequence[str]) -> str:
    """What is wrong with options, of which `known` are those that there are."""
    first: dict[str, str] = {}  # of each option; what follows is mostly a consequence
    for each in errors:
        name, *places = each["loc"]
        if each["type"] == "extra_forbidden":
            first.setdefault(name, f"{shown(name, 'another option')}: {_unknown(name, known)}")
        else:
            where = ".".join([name, *(str(place) for place in places if isinstance(place, int))])
            first.setdefault(name, f"{where}: {in_words(each)}")
    return "; ".join(first.values())


def parameter_in_words(name: str, known: Sequence[str]) -> str:
    """What is wrong with a parameter of a query that is none of the `known` ones."""
    return _unknown(name, known) if known else "expected no parameters in the query, got one"


def shown(name: str, otherwise: str) -> str:
    """A name that came, if it looks like one; else what stands for it."""
    return name if _LIKE_A_NAME.fullmatch(name) else otherwise


def _unknown(name: str, known: Sequence[str]) -> str:
    """What is wrong with an option that there is not: the nearest one comes first."""
    near = nearest(name.lower(), known)
    names = ", ".join(sorted(known, key=lambda each: each != near))
    hint = f"did you mean {near}? " if near else ""
    return f"{hint}expected one of {names}, got a name that is none of them"
