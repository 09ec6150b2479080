"""Files as request bodies: read while they are sent, in constant memory, as often as the request is sent.

The names of files are not sent: the API has no use for them, and they may be about a patient.
"""

import base64
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from disyre.client.errors import MissingFile, NothingToSend
from disyre.client.options import as_query, fit_a_query

_CHUNK_BYTES: Final = 256 * 1024


ScanPath: TypeAlias = Path | str | Sequence[Path | str]
"""A file, a folder, or several files."""


class Body(Protocol):
    """What a request sends."""

    @property
    def headers(self) -> dict[str, str]:
        """Type, length and digest."""

    @property
    def query(self) -> dict[str, str]:
        """What goes into the query."""

    def __iter__(self) -> Iterator[bytes]:
        """Its bytes, in pieces. Raises OSError."""


@dataclass(frozen=True)
class FileBody:
    """One file as the body itself: the fast way."""

    path: Path
    options: Mapping[str, Any]

    @property
    def query(self) -> dict[str, str]:
        """The options."""
        return as_query(self.options)

    @property
    def headers(self) -> dict[str, str]:
        """Type, length and digest."""
        with self.path.open("rb") as file:
            digest = base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
        return {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(self.path.stat().st_size),
            "Content-Digest": f"sha-256=:{digest}:",
        }

    def __iter__(self) -> Iterator[bytes]:
        """Its bytes, in pieces."""
        return _chunks(self.path)


class JsonBody:
    """A JSON document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._content = json.dumps(document).encode()

    @property
    def query(self) -> dict[str, str]:
        """Nothing: all is in the body."""
        return {}

    @property
    def headers(self) -> dict[str, str]:
        """Type and length."""
        return {"Content-Type": "application/json", "Content-Length": str(len(self._content))}

    def __iter__(self) -> Iterator[bytes]:
        """Its bytes."""
        yield self._content


class FormBody:
    """Several files, or one with a mask or labels, as `multipart/form-data`; one is open at a time."""

    def __init__(self, files: Sequence[Path], mask: Path | None, options: Mapping[str, Any]) -> None:
        boundary = secrets.token_hex(16)
        self._boundary = boundary
        self._parts: list[tuple[bytes, Path]] = [
            (_head(boundary, "file", f"{number:06d}"), file) for number, file in enumerate(files, start=1)
        ]
        if mask is not None:
            self._parts.append((_head(boundary, "mask", "mask"), mask))
        self._params = _head(boundary, "params") + json.dumps(dict(options)).encode() if options else b""

    @property
    def query(self) -> dict[str, str]:
        """Nothing: the options are a part of the form."""
        return {}

    @property
    def headers(self) -> dict[str, str]:
        """Type and length."""
        parts = sum(len(head) + path.stat().st_size + len(_EOL) for head, path in self._parts)
        params = len(self._params) + len(_EOL) if self._params else 0
        return {
            "Content-Type": f"multipart/form-data; boundary={self._boundary}",
            "Content-Length": str(parts + params + len(self._end)),
        }

    def __iter__(self) -> Iterator[bytes]:
        """Its bytes, in pieces."""
        if self._params:
            yield self._params + _EOL
        for head, path in self._parts:
            yield head
            yield from _chunks(path)
            yield _EOL
        yield self._end

    @property
    def _end(self) -> bytes:
        return f"--{self._boundary}--\r\n".encode()


_EOL: Final = b"\r\n"


def make_body(scan: ScanPath, mask: Path | str | None, options: Mapping[str, Any]) -> Body:
    """The body for a scan, which is a file, a folder, or several files. Raises NothingToSend."""
    files = files_of(scan)
    mask = path_of(mask, "a mask") if mask is not None else None
    for file in files if mask is None else [*files, mask]:
        if not file.exists():
            raise MissingFile(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
        if not (file.is_file() or file.is_dir()):
            raise NothingToSend(f"expected files, got a pipe, a socket or a device: {file}")
    if len(files) == 1 and mask is None and fit_a_query(options):
        return FileBody(files[0], options)
    return FormBody(files, mask, options)


def files_of(scan: ScanPath) -> list[Path]:
    """The files of a scan: of a folder all that are in it and below, but for hidden ones.

    Raises NothingToSend.
    """
    if not isinstance(scan, Path | str):
        files = [path_of(file, "a scan") for file in scan]
    elif (path := path_of(scan, "a scan")).is_dir():
        files = sorted(_files_below(path))
    else:
        files = [path]
    if not files:
        raise NothingToSend("expected the files of a scan, got none")
    return files


def path_of(given: Path | str, what: str) -> Path:
    """A path. Raises NothingToSend for an empty text, of which `Path` would make the current folder."""
    if given == "":
        raise NothingToSend(f"expected the path of {what}, got an empty text; the current folder is '.'")
    return Path(given)


def _files_below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(where) / name for name in names if not name.startswith("."))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _head(boundary: str, name: str, file_name: str = "") -> bytes:
    """What stands before a part of a form."""
    said = f'; filename="{file_name}"' if file_name else ""
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{said}\r\n\r\n'.encode()
