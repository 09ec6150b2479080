"""An API key, as a client is given it."""

from disyre.client.errors import ClientError


def read_key(text: str, where: str = "") -> str:
    """The key in a text, which may have blanks and an end of line around it.

    Raises ClientError, which says `where` the text was.

    >>> read_key("a1b2-c3\\n")
    'a1b2-c3'
    """
    if not isinstance(text, str):
        raise ClientError(
            f"expected one line with a key, of printable ASCII{where}, got {type(text).__name__}"
        )
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable():
        n_lines = len(key.splitlines())
        found = f"{n_lines} line{'' if n_lines == 1 else 's'}"
        raise ClientError(f"expected one line with a key, of printable ASCII{where}, got {found}")
    return key
