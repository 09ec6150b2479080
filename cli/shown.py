"""Names of files on a terminal: they may hold what moves its cursor, or ends the line."""

import unicodedata


def shown(text: object) -> str:
    r"""Text as one line for people: what cannot be printed is spelt out.

    >>> print(shown("new\nline \x1b[31mred"), shown("caf\udce9 头"))
    new\nline \x1b[31mred caf\udce9 头
    """
    return "".join(each if _is_harmless(each) else _spelt_out(each) for each in str(text))


def _is_harmless(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _spelt_out(character: str) -> str:
    return character.encode("unicode_escape").decode()
