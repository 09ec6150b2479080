"""Request bodies on their way to the disk, in constant memory."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from disyre.errors import EmptyUpload, TooLarge
from disyre.intake.early import LOOKED_AT_BYTES
from disyre.intake.upload import MASK_NAME, FileFacts, ScanFiles, Upload, file_name
from disyre.job_input import InputFile
from disyre.wording import counted
from service.errors import DigestMismatch, MalformedRequest

_MAX_PARAMS_BYTES: Final = 64 * 1024


T_co = TypeVar("T_co", covariant=True)


class Body(Protocol[T_co]):
    """Takes the bytes of a request body, in pieces."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises InvalidInput."""

    def finish(self) -> T_co:
        """All bytes were fed; what they are. Raises InvalidInput if the body is not whole."""

    def close(self) -> None:
        """Let go of open files, whatever happened."""


class OnHead(Protocol):
    """Is shown how a file begins, while the rest is still to come."""

    def __call__(self, head: bytes, *, params: bytes | None) -> None:
        """See it, and the part `params` of the form: empty without a form, None if it may still come."""


def ignore(head: bytes, *, params: bytes | None = None) -> None:
    """See it, and do nothing."""


class FileWriter:
    """One uploaded file, from its first byte to its last."""

    def __init__(self, path: Path, on_head: Callable[[bytes], None]) -> None:
        self.name = path.name
        self.facts = FileFacts()
        self._file = path.open("xb")
        self._head: bytearray | None = bytearray()
        self._on_head = on_head

    def write(self, data: bytes | bytearray) -> None:
        """Write the next bytes. Raises what `on_head` does, as soon as it can be asked."""
        if self._head is not None:
            self._head += data[:LOOKED_AT_BYTES]
            if len(self._head) >= LOOKED_AT_BYTES:
                self._on_head(bytes(self._head))
                self._head = None
        self._file.write(data)
        self.facts.take(data)

    def close(self) -> None:
        """Let go of the file; that the disk holds it is seen to once it is a job's."""
        self._file.close()


class RawBody:
    """A body that is one file."""

    def __init__(self, folder: Path, *, digest: bytes | None = None, on_head: OnHead = ignore) -> None:
        self._digest = digest
        """SHA-256 that the client expects."""
        self._writer = FileWriter(folder / file_name(1), partial(on_head, params=b""))

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._writer.write(data)

    def finish(self) -> Upload:
        """All bytes were fed. Raises EmptyUpload, DigestMismatch or NotAnImage."""
        facts = self._writer.facts
        if facts.is_empty:
            raise EmptyUpload("expected a scan as the body, or a form with parts named 'file', got 0 bytes")
        check_digest(self._digest, facts.digest)
        self._writer.close()
        return Upload((facts.as_file(self._writer.name, facts.format()),))

    def close(self) -> None:
        """Let go of the file."""
        self._writer.close()


def check_digest(expected: bytes | None, came: bytes) -> None:
    """Raise DigestMismatch if a body is not the one that was announced; None if nothing was."""
    if expected not in (None, came):
        raise DigestMismatch("the body does not have the SHA-256 of its Content-Digest")


class MultipartBody:
    """A `multipart/form-data` body: parts `file` (one or many), `mask` and `params` in any order."""

    def __init__(
        self,
        folder: Path,
        boundary: str,
        *,
        max_files: int,
        digest: bytes | None = None,
        on_head: OnHead = ignore,
    ) -> None:
        self._folder = folder
        self._on_head = on_head
        self._digest = digest
        """SHA-256 that the client expects of the whole body."""
        self._sha256 = hashlib.sha256()
        self._max_files = max_files
        try:
            self._parser = PushMultipartParser(boundary)
        except MultipartError as error:
            raise MalformedRequest("expected a boundary in the Content-Type of the multipart body") from error
        self._part = ""
        self._writer: FileWriter | None = None
        self._files = ScanFiles()
        self._mask: InputFile | None = None
        self._params: bytearray | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises MalformedRequest, TooLarge, EmptyUpload or NotAnImage."""
        if self._digest is not None:
            self._sha256.update(data)
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
        """All bytes were fed; images come first.

        Raises DigestMismatch, MalformedRequest, EmptyUpload or NotAnImage.
        """
        check_digest(self._digest, self._sha256.digest())
        try:
            self._parser.close()
        except MultipartError as error:
            raise MalformedRequest("the multipart body ends before its last boundary") from error
        if not self._files:
            raise EmptyUpload("expected at least one part named 'file', got none")
        return Upload(self._files.whole(), self._mask, bytes(self._params or b""))

    def close(self) -> None:
        """Let go of the file that is open."""
        if self._writer is not None:
            self._writer.close()

    def _begin(self, part: str) -> None:
        self._part = part
        if part == "file":
            if len(self._files) == self._max_files:
                raise TooLarge(f"expected at most {counted(self._max_files, 'file')}")
            on_head = partial(self._on_head, params=None if self._params is None else bytes(self._params))
            self._writer = FileWriter(self._folder / file_name(len(self._files) + 1), on_head)
        elif part == "mask" and self._mask is None:
            self._writer = FileWriter(self._folder / MASK_NAME, ignore)
        elif part == "params" and self._params is None:
            self._params = bytearray()
        else:
            raise MalformedRequest(
                "expected parts named 'file', and at most one 'mask' and one 'params', got another part or a "
                "second one; options go into 'params' as JSON, or into the query: ?model=t1w"
            )

    def _write(self, data: bytes | bytearray) -> None:
        if self._writer is not None:
            self._writer.write(data)
            if self._part == "file":
                self._files.check(self._writer.facts)
        elif self._params is not None:
            self._params += data
            if len(self._params) > _MAX_PARAMS_BYTES:
                raise TooLarge(f"expected 'params' of at most {_MAX_PARAMS_BYTES} bytes")

    def _end(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        if self._part == "mask":
            self._mask = self._writer.facts.as_mask()
        else:
            self._files.add(self._writer.name, self._writer.facts)
        self._writer = None
