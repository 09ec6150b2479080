"""WADO-RS: the instances of a series on their way from an archive to the disk (PS3.18, 10.4)."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from disyre.errors import EmptyUpload, NotAnImage, TooLarge
from disyre.intake.upload import ScanFiles, Upload, file_name
from disyre.media import sniff
from disyre.wording import counted
from service.dicomweb import check_status, talking
from service.errors import ArchiveWrong, SeriesIncomplete
from service.multipart_related import CutOff, Malformed, PartBegins, RelatedParts
from service.pacs import PacsServer
from service.pull_request import Source
from service.uploads import FileWriter

_RELATED: Final = "multipart/related"
_DICOM: Final = "application/dicom"
_ACCEPT: Final = f'{_RELATED}; type="{_DICOM}"; transfer-syntax=*'
"""As the archive has them: it need not decompress them, and nothing is lost."""
_OPTION: Final = re.compile(r';\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^;"\s]*))')
"""Of a media type; archives write `type=application/dicom` without the quotes that it should have, too."""
_LONGEST_BOUNDARY: Final = 200


@asynccontextmanager
async def instances(
    client: httpx.AsyncClient, server: PacsServer, source: Source
) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """The boundary of an answer with all instances of a series, and the answer, as it comes.

    Raises ArchiveAway, ArchiveTimedOut or ArchiveWrong; SeriesIncomplete if it breaks off.
    """
    url = f"{server.root}/studies/{source.study}/series/{source.series}"
    headers = {"Accept": _ACCEPT, "Accept-Encoding": "identity"}
    async with talking(), client.stream("GET", url, headers=headers) as answer:
        if answer.status_code in (httpx.codes.PARTIAL_CONTENT, httpx.codes.NOT_FOUND, httpx.codes.GONE):
            raise SeriesIncomplete(f"the archive answered {answer.status_code}: it does not give all images")
        check_status(answer)
        boundary = _boundary(answer.headers.get("Content-Type", ""))
        try:
            yield boundary, answer.aiter_raw()
        except (httpx.ReadError, httpx.RemoteProtocolError) as error:
            raise SeriesIncomplete("the archive's answer broke off") from error


def _boundary(content_type: str) -> str:
    media_type = content_type.partition(";")[0].strip().lower()
    options = {name.lower(): quoted or plain for name, quoted, plain in _OPTION.findall(content_type)}
    boundary: str = options.get("boundary", "")
    if media_type != _RELATED or options.get("type", _DICOM).lower() != _DICOM:
        raise ArchiveWrong(f"the archive answered with something else than {_RELATED} of {_DICOM}")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise ArchiveWrong(f"the archive answered with {_RELATED} without a boundary")
    return boundary


class SeriesBody:
    """The body of such an answer, in constant memory: each part becomes a file."""

    def __init__(self, folder: Path, boundary: str, *, n_instances: int | None, max_files: int) -> None:
        self._folder = folder
        self._n_instances = n_instances
        """So many parts it has to have; None if nobody knows."""
        self._max_files = max_files
        self._parts = RelatedParts(boundary)
        self._writer: FileWriter | None = None
        self._files = ScanFiles()

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises ArchiveWrong, SeriesIncomplete or TooLarge."""
        try:
            for event in self._parts.feed(data):
                if isinstance(event, PartBegins):
                    self._begin(event)
                elif self._writer is None:
                    continue
                elif isinstance(event, bytes):
                    self._writer.write(event)
                else:
                    self._end(self._writer)
        except Malformed as error:
            raise ArchiveWrong(f"the archive's answer is malformed: {error}") from error

    def finish(self) -> Upload:
        """All bytes were fed. Raises SeriesIncomplete."""
        try:
            self._parts.finish()
        except CutOff as error:
            raise SeriesIncomplete("the archive's answer ends before its last boundary") from error
        if not self._files or len(self._files) != (self._n_instances or len(self._files)):
            raise self._other_number("sent")
        return Upload(self._files.whole())

    def close(self) -> None:
        """Let go of the file that is open."""
        if self._writer is not None:
            self._writer.close()

    def _begin(self, part: PartBegins) -> None:
        if part.content_type not in ("", _DICOM):
            raise ArchiveWrong(f"the archive's answer has a part that is not {_DICOM}")
        if len(self._files) == self._n_instances:
            raise self._other_number("sends more than")
        if len(self._files) == self._max_files:
            raise TooLarge(f"expected a series of at most {counted(self._max_files, 'file')}")
        self._writer = FileWriter(self._folder / file_name(len(self._files) + 1), _check_head)

    def _end(self, writer: FileWriter) -> None:
        writer.close()
        _check_format(writer.facts.format)
        self._files.add(writer.name, writer.facts)
        self._writer = None

    def _other_number(self, does: str) -> SeriesIncomplete:
        said = "an unknown number of" if self._n_instances is None else str(self._n_instances)
        return SeriesIncomplete(f"the archive says that it has {said} images, and {does} {len(self._files)}")


def _check_head(head: bytes) -> None:
    """Raise ArchiveWrong if a file begins like none of DICOM."""
    _check_format(lambda: sniff(head))


def _check_format(told: Callable[[], str]) -> None:
    """Raise ArchiveWrong if a file is told to be none of DICOM."""
    try:
        is_dicom = told() == "dicom"
    except (NotAnImage, EmptyUpload):
        is_dicom = False
    if not is_dicom:
        raise ArchiveWrong("the archive's answer has a part that is no DICOM file")
