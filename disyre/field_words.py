"""What is wrong with a field, in words for people; pydantic's own are for programmers.

What came is only repeated where it is a number: anything else might be a secret, or about a patient.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from disyre.ae_title import AE_TITLE
from disyre.series_uid import SERIES_UID, UID
from disyre.wording import counted

_MOST_DIGITS: Final = 20

_TIME: Final = "a time with its zone, such as 2026-01-31T12:00:00Z"
_EXPECTED: Final[dict[str, str | Callable[[Mapping[str, Any]], str]]] = {
    "greater_than": lambda ctx: f"a number above {_number(ctx['gt'])}",
    "greater_than_equal": lambda ctx: f"a number of at least {_number(ctx['ge'])}",
    "less_than": lambda ctx: f"a number below {_number(ctx['lt'])}",
    "less_than_equal": lambda ctx: f"a number of at most {_number(ctx['le'])}",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": lambda ctx: f"at least {counted(ctx['min_length'], 'character')}",
    "string_too_long": lambda ctx: f"at most {counted(ctx['max_length'], 'character')}",
    "literal_error": lambda ctx: f"one of {ctx['expected']}",
    "enum": lambda ctx: f"one of {ctx['expected']}",
    "tuple_type": "a list",
    "too_short": lambda ctx: f"at least {counted(ctx['min_length'], 'value')}",
    "too_long": lambda ctx: f"at most {counted(ctx['max_length'], 'value')}",
    "dict_type": "names with values",
    "model_type": "names with values",
    "timezone_aware": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "ip_any_address": "an IP address",
}
"""By the type of pydantic's error."""
_A_NAME: Final = "1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit"
_PATTERNS: Final = {
    "name": _A_NAME,
    "send_to": _A_NAME,
    "[key]": _A_NAME,
    "sha256": "64 hexadecimal digits (0-9, a-f)",
}
"""What a field is that has to match a pattern, but for those of a UID and an AE title."""


def in_words(error: Mapping[str, Any]) -> str:
    """One error of pydantic, as what was expected and what came.

    >>> in_words({"type": "greater_than_equal", "loc": ("limit",), "input": "-1", "ctx": {"ge": 0}})
    'expected a number of at least 0, got -1'
    >>> in_words({"type": "missing", "loc": ("broker_url",), "input": {}})
    'expected a value, got none'
    >>> of_a_uid = {"type": "string_pattern_mismatch", "loc": ("study",), "ctx": {"pattern": UID}}
    >>> in_words({**of_a_uid, "input": "a"})
    'expected a DICOM UID (digits and dots, at most 64), got text of 1 character'
    """
    kind = error["type"]
    if kind == "value_error":
        return str(error["ctx"]["error"])  # a check of ours, which speaks for itself
    if kind == "missing":
        return "expected a value, got none"
    if kind == "extra_forbidden":
        return "expected no field of this name, got one"
    return f"expected {_expected(kind, error)}, got {_came(error['input'])}"


def _expected(kind: str, error: Mapping[str, Any]) -> str:
    if kind == "string_pattern_mismatch":
        if error["ctx"]["pattern"] in (SERIES_UID, UID):
            return "a DICOM UID (digits and dots, at most 64)"
        if error["ctx"]["pattern"] == AE_TITLE:
            return "1 to 16 printable ASCII characters, the first no blank and none a backslash"
        names = ["", *(str(each) for each in error["loc"] if not isinstance(each, int))]
        return _PATTERNS.get(names[-1], "text of another form")
    words = _EXPECTED.get(kind, "another value")
    return words if isinstance(words, str) else words(error["ctx"])


def _number(value: float) -> str:
    """A bound as a person writes it.

    >>> _number(3153600000), _number(1.0), _number(0.5)
    ('3153600000', '1', '0.5')
    """
    return str(int(value)) if value == int(value) else f"{value:g}"


def _came(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float) or (isinstance(value, str) and _is_number(value)):
        return str(value)
    if isinstance(value, str):
        return f"text of {counted(len(value), 'character')}"
    if isinstance(value, list | tuple | dict):
        return counted(len(value), "value")
    return "nothing" if value is None else "something else"


def _is_number(text: str) -> bool:
    if len(text) > _MOST_DIGITS:
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True
