"""Request bodies on their way to the disk: under neutral names, with their SHA-256, in constant memory."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from disyre.errors import InvalidInput, NotAnImage, TooLarge
from disyre.job import InputFile
from disyre.media import HEAD_BYTES, MediaFormat, sniff
from disyre.wording import counted
from service.errors import DigestMismatch, EmptyUpload, MalformedRequest

MASK_NAME: Final = "mask"
_MAX_PARAMS_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class Upload:
    """What a request held."""

    files: tuple[InputFile, ...]
    mask: InputFile | None = None
    params: bytes = b""
    """JSON, if there was a `params` part."""


class Body(Protocol):
    """Takes the bytes of a request body, in pieces."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises InvalidInput."""

    def finish(self) -> Upload:
        """All bytes were fed. Raises InvalidInput if the body is not whole."""

    def close(self) -> None:
        """Let go of open files, whatever happened."""


class FileWriter:
    """One uploaded file, from its first byte to its last."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._file = path.open("xb")
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0
        self._head = b""

    def write(self, data: bytes | bytearray) -> None:
        """Write the next bytes."""
        self._file.write(data)
        self._sha256.update(data)
        self._size_bytes += len(data)
        if len(self._head) < HEAD_BYTES:
            self._head = (self._head + data)[:HEAD_BYTES]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written."""
        return not self._size_bytes

    def format(self) -> MediaFormat:
        """What was written so far. Raises EmptyUpload, or NotAnImage."""
        if self.is_empty:
            raise EmptyUpload("expected a file, got one of 0 bytes")
        return sniff(self._head)

    def finish(self, format: MediaFormat) -> InputFile:
        """Close the file, and say what it is; that the disk holds it is seen to once it is a job's."""
        self._file.close()
        return InputFile(
            name=self._name,
            format=format,
            sha256=self._sha256.hexdigest(),
            size_bytes=self._size_bytes,
        )

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @property
    def digest(self) -> bytes:
        """SHA-256 of what was written."""
        return self._sha256.digest()


class RawBody:
    """A body that is one file."""

    def __init__(self, folder: Path, *, digest: bytes | None = None) -> None:
        self._digest = digest
        """SHA-256 that the client expects."""
        self._writer = FileWriter(folder / _file_name(1))

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._writer.write(data)

    def finish(self) -> Upload:
        """All bytes were fed. Raises EmptyUpload, DigestMismatch or NotAnImage."""
        if self._writer.is_empty:
            raise EmptyUpload("expected a scan as the body, or a form with parts named 'file', got 0 bytes")
        if self._digest not in (None, self._writer.digest):
            raise DigestMismatch("the body does not have the SHA-256 of its Content-Digest")
        return Upload((self._writer.finish(self._writer.format()),))

    def close(self) -> None:
        """Let go of the file."""
        self._writer.close()


class MultipartBody:
    """A `multipart/form-data` body: parts `file` (one or many), `mask` and `params` in any order."""

    def __init__(self, folder: Path, boundary: str, *, max_files: int) -> None:
        self._folder = folder
        self._max_files = max_files
        try:
            self._parser = PushMultipartParser(boundary)
        except MultipartError as error:
            raise MalformedRequest("expected a boundary in the Content-Type of the multipart body") from error
        self._part = ""
        self._writer: FileWriter | None = None
        self._files: list[InputFile] = []
        self._refusals: list[InvalidInput] = []
        """Of files that are no image; they may lie beside images."""
        self._mask: InputFile | None = None
        self._params: bytearray | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises MalformedRequest, TooLarge, or EmptyUpload or NotAnImage of a mask."""
        try:
            for event in self._parser.parse(data):
                if isinstance(event, MultipartSegment):
                    self._begin(event.name or "")
                elif event is None:
                    self._end()
                else:
                    self._write(event)
        except ParserLimitReached as error:
            raise MalformedRequest("the headers of a part are too long") from error
        except MultipartError as error:
            raise MalformedRequest("the multipart body is malformed") from error

    def finish(self) -> Upload:
        """All bytes were fed; images come first. Raises MalformedRequest, EmptyUpload or NotAnImage."""
        try:
            self._parser.close()
        except MultipartError as error:
            raise MalformedRequest("the multipart body ends before its last boundary") from error
        if not self._files:
            raise EmptyUpload("expected at least one part named 'file', got none")
        if len(self._refusals) == len(self._files):
            raise self._refusals[0]
        files = sorted(self._files, key=lambda file: file.format == "other")
        return Upload(tuple(files), self._mask, bytes(self._params or b""))

    def close(self) -> None:
        """Let go of the file that is open."""
        if self._writer is not None:
            self._writer.close()

    def _begin(self, part: str) -> None:
        self._part = part
        if part == "file":
            if len(self._files) == self._max_files:
                raise TooLarge(f"expected at most {counted(self._max_files, 'file')}")
            self._writer = FileWriter(self._folder / _file_name(len(self._files) + 1))
        elif part == "mask" and self._mask is None:
            self._writer = FileWriter(self._folder / MASK_NAME)
        elif part == "params" and self._params is None:
            self._params = bytearray()
        else:
            raise MalformedRequest("expected parts named 'file', and at most one 'mask' and one 'params'")

    def _write(self, data: bytes | bytearray) -> None:
        if self._writer is not None:
            self._writer.write(data)
        elif self._params is not None:
            self._params += data
            if len(self._params) > _MAX_PARAMS_BYTES:
                raise TooLarge(f"expected 'params' of at most {_MAX_PARAMS_BYTES} bytes")

    def _end(self) -> None:
        if self._writer is None:
            return
        if self._part == "mask":
            self._mask = self._writer.finish(self._format_of_mask(self._writer))
        else:
            self._files.append(self._writer.finish(self._format_of_file(self._writer)))
        self._writer = None

    def _format_of_mask(self, writer: FileWriter) -> MediaFormat:
        try:
            return writer.format()
        except EmptyUpload as error:
            raise EmptyUpload("expected a brain mask as NIfTI, got a file of 0 bytes") from error
        except NotAnImage as error:
            raise NotAnImage(
                "expected a brain mask as NIfTI, plain or gzipped, got another kind of file"
            ) from error

    def _format_of_file(self, writer: FileWriter) -> MediaFormat:
        try:
            return writer.format()
        except (NotAnImage, EmptyUpload) as error:
            self._refusals.append(error)
            return "other"


def _file_name(number: int) -> str:
    return f"{number:06d}"
