"""The key of a submission, by which the API knows it again when it is sent a second time."""

import re
import secrets
from typing import Final

from disyre.client.errors import ClientError

_LONGEST: Final = 255
_FORM: Final = re.compile(rf'"[ !#-\[\]-~]{{1,{_LONGEST}}}"|[!#-\[\]-~]{{1,{_LONGEST}}}')
"""A string as RFC 9651 spells it, or the same without its quotes."""


def read_idempotency_key(given: str | None) -> str:
    """The key, or a new one for None. Raises ClientError, which does not repeat it.

    >>> read_idempotency_key("study-1")
    'study-1'
    """
    if given is None:
        return secrets.token_hex(16)
    if not (isinstance(given, str) and _FORM.fullmatch(given)):
        raise ClientError(
            f'expected an idempotency_key of 1 to {_LONGEST} visible ASCII characters other than " and \\, '
            f"or such with blanks in a pair of quotes, got {_found(given)}"
        )
    return given


def _found(given: object) -> str:
    if not isinstance(given, str):
        return type(given).__name__
    return f"{len(given)} characters" if len(given) > _LONGEST else "other text" if given else "an empty text"
