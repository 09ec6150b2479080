"""QIDO-RS: what an archive says of a series (PS3.18, 10.6)."""

import json
from typing import Any, Final

import httpx

from disyre.errors import NotBrainMr
from service.dicomweb import check_status, read_answer, talking
from service.errors import ArchiveWrong, SeriesNotFound
from service.pacs import PacsServer
from service.pull_request import Source

_MODALITY, _SERIES, _N_INSTANCES = "00080060", "0020000E", "00201209"
_MR: Final = "MR"
_LONGEST_MODALITY: Final = 16
_NOTHING: Final = (httpx.codes.NO_CONTENT, httpx.codes.NOT_FOUND)


async def count_instances(client: httpx.AsyncClient, server: PacsServer, source: Source) -> int | None:
    """How many instances an archive has of a series of MR; None if it does not say that.

    Raises SeriesNotFound, NotBrainMr, ArchiveAway, ArchiveTimedOut or ArchiveWrong.
    """
    url = f"{server.root}/studies/{source.study}/series"
    query = {"SeriesInstanceUID": source.series, "includefield": _N_INSTANCES}
    headers = {"Accept": "application/dicom+json", "Accept-Encoding": "identity"}
    async with talking(), client.stream("GET", url, params=query, headers=headers) as answer:
        if answer.status_code in _NOTHING:
            raise _not_found()
        check_status(answer)
        body = await read_answer(answer)
    try:
        found = [each for each in json.loads(body) if _value(each, _SERIES) == source.series]
        if not found:
            raise _not_found()
        modality, n_instances = (_value(found[0], tag) for tag in (_MODALITY, _N_INSTANCES))
        n = None if n_instances is None else int(n_instances)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise ArchiveWrong("the archive answered a search, but not with DICOM JSON (PS3.18, 10.6)") from None
    if modality not in (None, _MR):
        raise NotBrainMr(f"expected a series of the modality MR, got one of {_shown(modality)}")
    return n


def _not_found() -> SeriesNotFound:
    return SeriesNotFound("expected a series that the archive has, got one that it has not")


def _value(item: dict[str, Any], tag: str) -> Any:
    """The first value of an attribute; None if it has none."""
    values = item.get(tag, {}).get("Value", [])
    return values[0] if values else None


def _shown(modality: object) -> str:
    """A modality, if it looks like one."""
    text = modality if isinstance(modality, str) else ""
    is_code = text.isascii() and text.isalpha() and text.isupper() and len(text) <= _LONGEST_MODALITY
    return text if is_code else "another"
