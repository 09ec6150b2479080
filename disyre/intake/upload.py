"""The files of an upload: under neutral names, with what they are and their SHA-256, in constant memory."""

import hashlib
from dataclasses import dataclass
from typing import Final

from disyre.errors import EmptyUpload, InvalidInput, NotAnImage
from disyre.job_input import InputFile
from disyre.media import HEAD_BYTES, MediaFormat, sniff

MASK_NAME: Final = "mask"
_FOREIGN_BYTES: Final = 1024**2
"""As large may be what is no image and comes before all images: a note beside them is hardly larger."""


@dataclass(frozen=True)
class Upload:
    """What was uploaded."""

    files: tuple[InputFile, ...]
    mask: InputFile | None = None
    params: bytes = b""
    """JSON, if there was a `params` part."""


def file_name(number: int) -> str:
    """The neutral name of a file, counted from 1.

    >>> file_name(1)
    '000001'
    """
    return f"{number:06d}"


class FileFacts:
    """What is known of a file that is read from its first byte to its last."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0
        self._head = b""

    def take(self, data: bytes | bytearray) -> None:
        """The next bytes."""
        self._sha256.update(data)
        self._size_bytes += len(data)
        if len(self._head) < HEAD_BYTES:
            self._head = (self._head + data)[:HEAD_BYTES]

    @property
    def is_empty(self) -> bool:
        """Whether there was no byte."""
        return not self._size_bytes

    @property
    def size_bytes(self) -> int:
        """As much was taken."""
        return self._size_bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of all that was taken."""
        return self._sha256.digest()

    def format(self) -> MediaFormat:
        """What kind of file it is. Raises EmptyUpload, or NotAnImage."""
        if self.is_empty:
            raise EmptyUpload("expected a file, got one of 0 bytes")
        return sniff(self._head)

    def as_file(self, name: str, format: MediaFormat) -> InputFile:
        """The file as a job has it."""
        return InputFile(
            name=name, format=format, sha256=self._sha256.hexdigest(), size_bytes=self._size_bytes
        )

    def as_mask(self) -> InputFile:
        """The same of a brain mask. Raises EmptyUpload, or NotAnImage."""
        try:
            return self.as_file(MASK_NAME, self.format())
        except EmptyUpload as error:
            raise EmptyUpload("expected a brain mask as NIfTI, got a file of 0 bytes") from error
        except NotAnImage as error:
            raise NotAnImage(
                "expected a brain mask as NIfTI, plain or gzipped, got another kind of file"
            ) from error


class ScanFiles:
    """The files of a scan. Some that are no image may lie beside images."""

    def __init__(self) -> None:
        self._files: list[InputFile] = []
        self._refusals: list[InvalidInput] = []
        """Of files that are no image."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self._files)

    def add(self, name: str, facts: FileFacts) -> None:
        """Another file, whatever it is."""
        kind: MediaFormat = "other"
        try:
            kind = facts.format()
        except (NotAnImage, EmptyUpload) as error:
            self._refusals.append(error)
        self._files.append(facts.as_file(name, kind))

    def check(self, facts: FileFacts) -> None:
        """Look at a file that still goes on. Raises NotAnImage if it is large and no image, and none came."""
        if facts.size_bytes > _FOREIGN_BYTES and len(self._refusals) == len(self._files):
            facts.format()

    def whole(self) -> tuple[InputFile, ...]:
        """All files, images first. Raises EmptyUpload or NotAnImage, of the first file, if there is none."""
        if len(self._refusals) == len(self._files):
            raise self._refusals[0]
        return tuple(sorted(self._files, key=lambda file: file.format == "other"))
