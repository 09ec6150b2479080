"""From a series in an archive to files in a folder: looked at, and tried again if it is not whole."""

import asyncio
import logging
from pathlib import Path
from typing import Final

import httpx

from disyre.errors import TooLarge, UnreadableVolume
from disyre.intake.upload import Upload
from disyre.wording import counted
from service.dependencies import Parts
from service.errors import ArchiveAway, ArchiveTimedOut, ArchiveWrong, SeriesIncomplete
from service.instance_uids import read_uids
from service.limiters import in_thread
from service.pacs import PacsServer, server_named
from service.pull_request import Source
from service.qido import count_instances
from service.receiving import batches, in_time, take, to_disk
from service.wado import SeriesBody, instances

logger = logging.getLogger(__name__)

_PAUSES_S: Final = (0.5, 2.0)
"""Between one try and the next."""


async def fetch(source: Source, folder: Path, parts: Parts) -> Upload:
    """Fetch the instances of a series into an empty folder.

    Raises UnknownServer, SeriesNotFound, NotBrainMr, TooLarge, StorageFull, ArchiveAway, ArchiveTimedOut,
    ArchiveWrong, or Unavailable if the process stops meanwhile.
    """
    server = server_named(parts.servers, source.server)
    most_s = parts.settings.upload_timeout_s
    late = ArchiveTimedOut(f"the archive did not give the series within {most_s:g} s")
    disk = parts.limiters.disk
    async with (
        in_time(parts, late),
        parts.limiters.archives.turn(server.name),
        await in_thread(disk, server.async_client) as client,
    ):
        for pause_s in _PAUSES_S:
            try:
                return await _try(client, server, source, folder, parts)
            except (ArchiveAway, SeriesIncomplete) as error:
                logger.info("fetching from %s is tried again: %s", server.name, error)
            await in_thread(disk, _remove, folder)
            await asyncio.sleep(pause_s)
        return await _try(client, server, source, folder, parts)


async def _try(
    client: httpx.AsyncClient, server: PacsServer, source: Source, folder: Path, parts: Parts
) -> Upload:
    settings, disk = parts.settings, parts.limiters.disk
    n_instances = await count_instances(client, server, source)
    if n_instances is not None and n_instances > settings.max_files:
        raise TooLarge(f"expected a series of at most {counted(settings.max_files, 'file')}")
    reservation = await to_disk(disk, parts.room.reserve, None)
    body: SeriesBody | None = None
    try:
        async with instances(client, server, source) as (boundary, chunks):
            body = SeriesBody(folder, boundary, n_instances=n_instances, max_files=settings.max_files)
            upload = await take(batches(chunks, settings.max_upload_bytes), body, reservation, disk)
    finally:
        reservation.end()
        if body is not None:
            body.close()
    await in_thread(parts.limiters.inspection, _check, upload, folder, source)
    return upload


def _check(upload: Upload, folder: Path, source: Source) -> None:
    """Raise ArchiveWrong if these are not instances of a series, each once."""
    seen: set[str] = set()
    for file in upload.files:
        try:
            uids = read_uids(folder / file.name)
        except UnreadableVolume as error:
            raise ArchiveWrong("the archive sent an image that does not say which one it is") from error
        if (uids.study, uids.series) != (source.study, source.series):
            raise ArchiveWrong("the archive sent an image of another series than was asked for")
        if uids.instance in seen:
            raise ArchiveWrong("the archive sent an image twice")
        seen.add(uids.instance)


def _remove(folder: Path) -> None:
    """Remove the files of a try."""
    for file in folder.iterdir():
        file.unlink()
