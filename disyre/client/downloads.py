"""Results on their way into a folder: gone on with where they broke off, and compared with their SHA-256."""

import hashlib
from pathlib import Path
from typing import Final

from disyre.client.connection import Call, Connection
from disyre.client.documents import ResultDocument
from disyre.client.errors import DamagedResult, UnexpectedAnswer, Unreachable

_PART: Final = ".part"
"""The end of the name of a file that is not whole yet."""


def download(connection: Connection, path: str, result: ResultDocument, folder: Path) -> Path:
    """Have the file of a result in a folder; one that is there already is not fetched again.

    What a download that broke off has left, in this process or in an earlier one, is gone on with.
    Raises DamagedResult, UnexpectedAnswer, Refused, Unreachable or OSError.
    """
    target = folder / _plain(result.name)
    part = folder / (result.name + _PART)
    if _is_whole(target, result):
        return target
    is_rest = part.exists()
    _complete(connection, path, result, part)
    if is_rest and not _is_whole(part, result):  # it was the rest of another file
        part.unlink()
        _complete(connection, path, result, part)
    if not _is_whole(part, result):
        part.unlink()
        raise DamagedResult(f"expected {result.name} with the SHA-256 of the list of results, got another")
    return part.replace(target)


def _plain(name: str) -> str:
    """The name of a file, and of nothing elsewhere. Raises UnexpectedAnswer."""
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise UnexpectedAnswer("expected results with plain names, got one that leads elsewhere")
    return name


def _complete(connection: Connection, path: str, result: ResultDocument, part: Path) -> None:
    """Fetch what is missing of a file; goes on after a broken connection as long as that brings more."""
    part.touch()
    if part.stat().st_size > result.size_bytes:
        part.unlink()
        part.touch()
    patience = connection.patience()
    while (start := part.stat().st_size) < result.size_bytes:
        try:
            _fetch(connection, path, result, part, start)
            return
        except Unreachable as error:
            if part.stat().st_size > start:
                patience = connection.patience()
            patience.pause(error)


def _fetch(connection: Connection, path: str, result: ResultDocument, part: Path, start: int) -> None:
    rest = {"Range": f"bytes={start}-", "If-Range": f'"{result.sha256}"'} if start else {}
    call = Call("GET", path, headers={"Accept-Encoding": "identity", **rest})
    with connection.stream(call) as answer, part.open("ab" if answer.is_partial else "wb") as file:
        for piece in answer.pieces:
            file.write(piece)


def _is_whole(file: Path, result: ResultDocument) -> bool:
    if not file.is_file() or file.stat().st_size != result.size_bytes:
        return False
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == result.sha256
