"""Sentences for people that count something."""


def counted(n: int, noun: str) -> str:
    """A number of things, each of which `noun` names.

    >>> counted(1, "file"), counted(2, "file")
    ('1 file', '2 files')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
