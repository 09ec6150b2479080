"""Of which study and series an instance says that it is; read in pieces: no header takes much memory."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Final

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag

from disyre.adapters.dicom_header import META, SYNTAX, HeaderReader, Wanted
from disyre.adapters.dicom_source import PIECE_BYTES, Source
from disyre.errors import UnreadableVolume
from disyre.inflation import inflated

_PREAMBLE_BYTES: Final = 132
_NAMES: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_WANTED: Final = Wanted(frozenset(int(Tag(name)) for name in _NAMES))
_MAX_RATIO: Final = 200
_ALWAYS_INFLATED_BYTES: Final = 4 * 2**20


@dataclass(frozen=True)
class InstanceUids:
    """As they are stated."""

    study: str
    series: str
    instance: str


def read_uids(path: Path) -> InstanceUids:
    """The UIDs of a DICOM file; what else is wrong with it is nobody's business here.

    Raises UnreadableVolume if they cannot be read, TooLarge if it inflates too far, or OSError.
    """
    with path.open("rb") as file:
        source = Source(iter(partial(file.read, PIECE_BYTES), b""))
        source.skip(_PREAMBLE_BYTES)
        found = _dataset(source, path.stat().st_size)
    try:
        study, series, instance = (str(found[name].value or "") for name in _NAMES)
    except Exception as error:  # pydicom raises all kinds at what is damaged, and quotes it
        raise UnreadableVolume(f"expected UIDs, got damaged ones ({type(error).__name__})") from None
    if not (study and series and instance):
        raise UnreadableVolume("expected UIDs, got none")
    return InstanceUids(study, series, instance)


def _dataset(source: Source, size_bytes: int) -> Dataset:
    meta = HeaderReader(source, META, syntax="", is_little_endian=True)
    meta.read_meta()
    syntax = meta.values.get(SYNTAX, b"").decode("ascii", errors="replace").strip(" \0")
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        source = Source(_inflated(source, size_bytes))
    is_little_endian = syntax != uid.ExplicitVRBigEndian
    reader = HeaderReader(source, _WANTED, syntax=syntax, is_little_endian=is_little_endian)
    with suppress(UnreadableVolume):  # such as of its pixels, which come after
        reader.read(keep=False)
    is_implicit = syntax == uid.ImplicitVRLittleEndian
    return read_dataset(
        BytesIO(bytes(reader.kept)), is_implicit_VR=is_implicit, is_little_endian=is_little_endian
    )


def _inflated(source: Source, size_bytes: int) -> Iterator[bytes]:
    return inflated(source.rest(), max_bytes=max(_ALWAYS_INFLATED_BYTES, _MAX_RATIO * size_bytes))
