"""Which of some names was meant by one that is none of them."""

import difflib
from collections.abc import Iterable
from typing import Final

_N_LIKE_IT: Final = 3


def nearest(name: str, known: Iterable[str], *, least: float = 0.6) -> str | None:
    """The known name that is most like another one; None if none is, in a measure from 0 to 1.

    One of the same letters comes first, as two of them are easily swapped.

    >>> nearest("modle", ["mode", "model"]), nearest("lables", ["labels"]), nearest("x", ["mode"])
    ('model', 'labels', None)
    """
    found = difflib.get_close_matches(name, list(known), n=_N_LIKE_IT, cutoff=least)
    return min(found, key=lambda each: sorted(each) != sorted(name), default=None)
