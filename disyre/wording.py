"""Sentences for people that count something."""

from collections import Counter
from collections.abc import Iterable


def counted(n: int, noun: str) -> str:
    """A number of things, each of which `noun` names.

    >>> counted(1, "file"), counted(2, "file")
    ('1 file', '2 files')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def collapsed(sentences: Iterable[str]) -> tuple[str, ...]:
    """Each sentence once, in the order in which they first came, with how often it came.

    >>> collapsed(["odd", "odder", "odd"])
    ('odd (2 times)', 'odder')
    """
    return tuple(text if n == 1 else f"{text} ({n} times)" for text, n in Counter(sentences).items())
