"""The parts of a `multipart/related` body of DICOM (PS3.18, 8.6.1.2.1) on their way to the disk."""

import hashlib
import re
from pathlib import Path
from typing import IO, Final, TypeAlias

from multipart import parse_options_header
from starlette.datastructures import Headers

from disyre.errors import EmptyUpload, TooLarge
from disyre.intake.upload import file_name
from disyre.wording import counted
from service.errors import MalformedRequest, UnsupportedMediaType
from service.multipart_related import CutOff, Malformed, PartBegins, PartEnds, RelatedParts
from service.receiving import media_type, shown_type
from service.uploads import check_digest

RELATED: Final = "multipart/related"
DICOM: Final = "application/dicom"
_MAGIC: Final = slice(128, 132)
_OPENED: Final = b"DICM"
_TYPE: Final = re.compile(r';\s*type\s*=\s*"?([\w.+/-]+)"?', re.IGNORECASE)
"""Not all clients have it in quotes."""
_LONGEST_BOUNDARY: Final = 200
"""RFC 2046 has 70, and Orthanc sends one of 73."""

Stored: TypeAlias = list[Path | None]
"""Each part in order: its file, or None if it is no DICOM file."""


def check_related(headers: Headers) -> str:
    """The boundary of a body of DICOM instances. Raises UnsupportedMediaType or MalformedRequest."""
    came, given = media_type(headers), headers.get("content-type", "")
    if came != RELATED:
        raise UnsupportedMediaType(
            f'expected a Content-Type of {RELATED}; type="{DICOM}"; got {shown_type(came)}'
        )
    of_parts = _TYPE.search(given)
    if of_parts is not None and of_parts[1].lower() != DICOM:
        raise UnsupportedMediaType(f'expected parts of type="{DICOM}", got parts of another type')
    _, options = parse_options_header(given)
    boundary: str = options.get("boundary", "")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY or not (boundary.isascii() and boundary.isprintable()):
        raise MalformedRequest("expected a boundary in the Content-Type of the multipart body")
    return boundary


class RelatedBody:
    """Writes each part to a file of its own; one that does not begin as DICOM does is passed over."""

    def __init__(self, folder: Path, boundary: str, *, max_files: int, digest: bytes | None = None) -> None:
        self._folder, self._max_files = folder, max_files
        self._digest = digest
        """SHA-256 that the client expects of the whole body."""
        self._sha256 = hashlib.sha256()
        self._parser = RelatedParts(boundary)
        self._parts: Stored = []
        self._file: IO[bytes] | None = None
        self._head = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises MalformedRequest or TooLarge."""
        if self._digest is not None:
            self._sha256.update(data)
        try:
            for event in self._parser.feed(data):
                if isinstance(event, PartBegins):
                    self._begin(event.content_type)
                elif isinstance(event, PartEnds):
                    self._end()
                elif self._file is not None:
                    self._write(event)
        except Malformed as error:
            raise MalformedRequest(f"the multipart body is malformed: {error}") from error

    def finish(self) -> Stored:
        """All bytes were fed. Raises DigestMismatch, MalformedRequest, or EmptyUpload if there is no part."""
        check_digest(self._digest, self._sha256.digest())
        try:
            self._parser.finish()
        except CutOff as error:
            raise MalformedRequest("the multipart body ends before its last boundary") from error
        if not self._parts:
            raise EmptyUpload("expected at least one DICOM instance, got none")
        return self._parts

    def close(self) -> None:
        """Let go of the file that is open."""
        if self._file is not None:
            self._file.close()

    def _begin(self, content_type: str) -> None:
        if len(self._parts) == self._max_files:
            raise TooLarge(f"expected at most {counted(self._max_files, 'instance')}")
        self._head = b""
        if content_type not in ("", DICOM):
            self._parts.append(None)
            return
        path = self._folder / file_name(len(self._parts) + 1)
        self._file = path.open("xb")
        self._parts.append(path)

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)
        if len(self._head) < _MAGIC.stop:
            self._head += data[: _MAGIC.stop]
            if len(self._head) >= _MAGIC.stop and self._head[_MAGIC] != _OPENED:
                self._drop()

    def _end(self) -> None:
        if self._file is not None and len(self._head) < _MAGIC.stop:
            self._drop()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _drop(self) -> None:
        """What comes is no DICOM file: the rest of it goes by."""
        path = self._parts[-1]
        assert self._file is not None
        assert path is not None
        self._file.close()
        self._file = None
        path.unlink()
        self._parts[-1] = None
