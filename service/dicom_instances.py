"""The DICOM instances among the results of a job: files, and those in a zip of them."""

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeAlias

import pydicom

from disyre.job import Artifact

_SUFFIX: Final = ".dcm"
_UIDS: Final = ("SOPClassUID", "SOPInstanceUID")
KINDS: Final = ("parametric-map", "segmentation", "secondary-capture", "structured-report")
"""What an archive is sent."""

Artifacts: TypeAlias = list[Artifact]


@dataclass(frozen=True)
class DicomInstance:
    """An instance, not read yet."""

    sop_class_uid: str
    sop_instance_uid: str
    size_bytes: int
    path: Path
    """The file, or the zip that it is in."""
    member: str | None = None
    """Its name in the zip; None if it is the file."""

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The bytes, for the length of a block."""
        with _opened(self.path, self.member) as file:
            yield file


def dicom_of(artifacts: Iterable[Artifact]) -> Artifacts:
    """Those results that an archive is sent."""
    return [artifact for artifact in artifacts if artifact.kind in KINDS]


def instances_in(path: Path) -> Iterator[DicomInstance]:
    """The instances in a file of results, in order."""
    if path.suffix == _SUFFIX:
        with path.open("rb") as file:
            yield _instance(file, path, None, path.stat().st_size)
        return
    with zipfile.ZipFile(path) as archive:  # once for all: there may be hundreds
        for each in archive.infolist():
            if each.filename.endswith(_SUFFIX):
                with archive.open(each) as file:
                    instance = _instance(file, path, each.filename, each.file_size)
                yield instance


def _instance(file: IO[bytes], path: Path, member: str | None, size_bytes: int) -> DicomInstance:
    header = pydicom.dcmread(file, specific_tags=[*_UIDS], stop_before_pixels=True)
    return DicomInstance(str(header.SOPClassUID), str(header.SOPInstanceUID), size_bytes, path, member)


@contextmanager
def _opened(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    if member is None:
        with path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive, archive.open(member) as inner:
        yield inner
