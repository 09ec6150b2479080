"""From a request to files in a folder: refused before the body is read where that is possible."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from anyio import CapacityLimiter
from fastapi import Request
from multipart import parse_options_header
from starlette.datastructures import Headers

from disyre.errors import DisyreError, StorageFull, TooLarge, Unavailable
from disyre.intake.early import LOOKED_AT_BYTES, refuse_by_beginning, refuse_nifti
from disyre.intake.foreign_archives import set_aside_archives
from disyre.intake.upload import Upload
from disyre.wording import counted
from service.content_digest import given_digest
from service.dependencies import Parts
from service.disk_room import Reservation
from service.errors import UnsupportedMediaType, UploadTimedOut
from service.given_options import parse_params
from service.limiters import in_thread
from service.once import Ticket
from service.pace import paced
from service.settings import ServiceSettings
from service.uploads import Body, MultipartBody, RawBody

P = ParamSpec("P")
T = TypeVar("T")

RAW_TYPES: Final = (
    *("application/octet-stream", "application/gzip", "application/zip", "application/dicom"),
    *(
        "application/x-gzip",
        "application/x-zip",
        "application/x-zip-compressed",
    ),  # what browsers and Windows say
    "application/x-www-form-urlencoded",  # what curl --data-binary says if it is told nothing
)
_FORM_TYPE: Final = "multipart/form-data"
_TELLING_S: Final = 2.0
"""Of the time that uploads have when the process is to stop: to tell those that are not done by then."""
_KNOWN_TYPES: Final = (
    *("application/json", "application/pdf", "application/xml", "application/x-tar", "application/vnd.rar"),
    *("application/dicom+json", "application/x-7z-compressed", "multipart/related", "multipart/mixed"),
    *("image/jpeg", "image/png", "text/html", "text/plain", "text/xml", "video/mp4"),
)
"""Others that are told apart in a refusal; whatever else came may be anything that a person wrote."""
_FIRST_BATCH_BYTES: Final = 2 * LOOKED_AT_BYTES
"""As much as has the head of a form and what tells what a file is."""
_BATCH_BYTES: Final = 1024**2
"""As much is gathered before a thread is sent to write it, while the next comes."""
_FEW_CHUNKS: Final = 32


def admit(
    headers: Headers,
    options: Mapping[str, Any],
    parts: Parts,
    check_options: Callable[[Mapping[str, Any]], object],
    ticket: Ticket | None = None,
) -> None:
    """Refuse a submission for which its body need not be read.

    One that was made before is compared with that, so its body has to be read.

    Raises UnsupportedMediaType, TooLarge, StorageFull, QueueFull or Unavailable, and what `check_options`
    raises.
    """
    admit_body(headers, parts)
    if ticket is not None and ticket.earlier is not None:
        return
    parts.submission.check_room(1)  # first: a broker that does not answer is waited for once
    if options or not is_form(headers):  # a form may have all of its options inside
        check_options(options)


def admit_body(
    headers: Headers, parts: Parts, *, check_type: Callable[[Headers], object] | None = None
) -> None:
    """Refuse a body that need not be read. Raises UnsupportedMediaType, TooLarge or StorageFull.

    `check_type` raises UnsupportedMediaType, or MalformedRequest; None takes what is a scan or a form.
    """
    settings = parts.settings
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("expected a body without Content-Encoding")
    (check_type or _check_type)(headers)
    announced_bytes = int(headers.get("content-length", 0))
    _check_size(announced_bytes, settings.max_upload_bytes)
    parts.room.check(announced_bytes)


@asynccontextmanager
async def incoming(
    parts: Parts, make_folder: Callable[[], AbstractContextManager[Path]] | None = None
) -> AsyncIterator[Path]:
    """A folder for an upload, in threads of which there are few; None takes one of the artifact store."""
    disk, folder = parts.limiters.disk, (make_folder or parts.artifacts.incoming)()
    path = await to_disk(disk, folder.__enter__)
    try:
        yield path
    except BaseException as error:
        await in_thread(disk, folder.__exit__, type(error), error, error.__traceback__)
        raise
    await in_thread(disk, folder.__exit__, None, None, None)


async def receive(
    request: Request, folder: Path, parts: Parts, options: Mapping[str, Any] | None = None
) -> Upload:
    """Stream the body of a request into a folder.

    `options` are those of the job that it is to be, as far as they are in the query; None if it is for none.
    Raises InvalidInput, StorageFull, ClientDisconnect, or Unavailable if the process stops meanwhile.
    """
    settings = parts.settings
    upload = await stream_body(request, parts, lambda: _open_body(request.headers, folder, settings, options))
    return await to_disk(parts.limiters.inspection, set_aside_archives, upload, folder)


async def stream_body(request: Request, parts: Parts, open_body: Callable[[], Body[T]]) -> T:
    """Stream the body of a request to the disk, and give what it is.

    Raises InvalidInput, StorageFull, ClientDisconnect, or Unavailable if the process stops meanwhile.
    """
    settings, disk = parts.settings, parts.limiters.disk
    announced = request.headers.get("content-length")
    announced_bytes = None if announced is None else int(announced)
    reservation = await to_disk(disk, parts.room.reserve, announced_bytes)
    body: Body[T] | None = None
    late = UploadTimedOut(f"the body did not arrive within {settings.upload_timeout_s:g} s")
    try:
        body = await to_disk(disk, open_body)
        async with in_time(parts, late):
            chunks = paced(request.stream(), within_s=settings.stall_timeout_s)
            return await take(batches(chunks, settings.max_upload_bytes), body, reservation, disk)
    finally:
        reservation.end()
        if body is not None:
            body.close()


@asynccontextmanager
async def in_time(parts: Parts, late: DisyreError) -> AsyncIterator[None]:
    """Have a block end within the time of an upload. Raises `late`, or Unavailable if the process stops."""
    settings = parts.settings
    try:
        async with asyncio.timeout(settings.upload_timeout_s) as deadline:
            with parts.drain.waking(lambda: _hasten(deadline, settings)):
                yield
    except TimeoutError as error:
        if parts.drain.has_begun:
            raise Unavailable("the service is stopping, and the upload did not end in time") from error
        raise late from error


async def take(
    pieces: AsyncIterator[list[bytes]], body: Body[T], reservation: Reservation, disk: CapacityLimiter
) -> T:
    """Write what comes while the next comes. Raises what `body` does, and StorageFull."""
    writing: asyncio.Task[None] | None = None
    try:
        async for chunks in pieces:
            is_first = writing is None
            if writing is not None:
                await writing
            writing = asyncio.create_task(to_disk(disk, _take, body, chunks, reservation))
            if is_first:
                await writing  # it may be refused by its beginning
        if writing is not None:
            await writing
        return await to_disk(disk, body.finish)
    finally:
        if writing is not None:
            await asyncio.wait([writing])  # a thread may be at it still
            writing.cancelled() or writing.exception()  # the first error is the one that is told


def _hasten(deadline: asyncio.Timeout, settings: ServiceSettings) -> None:
    """Let an upload end in time for its client to be told before the process stops."""
    grace_s = settings.shutdown_grace_s
    last = asyncio.get_running_loop().time() + max(grace_s - _TELLING_S, grace_s / 2)
    deadline.reschedule(min(deadline.when() or last, last))


def _take(body: Body[object], chunks: list[bytes], reservation: Reservation) -> None:
    # Large ones are not copied again; small ones cost less together.
    for chunk in chunks if len(chunks) <= _FEW_CHUNKS else [b"".join(chunks)]:
        reservation.expect(len(chunk))
        body.feed(chunk)
        reservation.use(len(chunk))


def _open_body(
    headers: Headers, folder: Path, settings: ServiceSettings, options: Mapping[str, Any] | None
) -> Body[Upload]:
    digest = given_digest(headers)
    refuse = refuse_nifti if is_form(headers) else refuse_by_beginning

    def on_head(head: bytes, *, params: bytes | None) -> None:
        refuse(head, max_voxels=settings.max_voxels, has_to_be_one=_picks_none(options, params))

    if not is_form(headers):
        return RawBody(folder, digest=digest, on_head=on_head)
    _, said = parse_options_header(headers["content-type"])
    return MultipartBody(
        folder, said.get("boundary", ""), max_files=settings.max_files, digest=digest, on_head=on_head
    )


def _picks_none(options: Mapping[str, Any] | None, params: bytes | None) -> bool:
    """Whether it is known already that no option of a job picks one of several volumes of NIfTI."""
    if options is None or params is None:
        return False
    return {**options, **parse_params(params)}.get("volume_index") is None


async def batches(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[list[bytes]]:
    """A body as lists of chunks, of about `_BATCH_BYTES` each but the first, by which it may be refused.

    Raises TooLarge.
    """
    batch: list[bytes] = []
    batch_bytes, size_bytes = 0, 0
    async for chunk in chunks:
        size_bytes += len(chunk)
        _check_size(size_bytes, max_bytes)
        batch.append(chunk)
        batch_bytes += len(chunk)
        if batch_bytes >= (_FIRST_BATCH_BYTES if size_bytes == batch_bytes else _BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
    if batch:
        yield batch


async def to_disk(limiter: CapacityLimiter, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do in a thread what may wait for the disk. Raises StorageFull if the disk is full."""
    try:
        return await in_thread(limiter, work, *args, **kwargs)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("the disk ran full during the upload") from error
        raise


def is_form(headers: Headers) -> bool:
    """Whether the body is a multipart form."""
    return media_type(headers) == _FORM_TYPE


def _check_type(headers: Headers) -> None:
    """Raise UnsupportedMediaType if a body of this type is not taken."""
    came = media_type(headers)
    if came not in (*RAW_TYPES, _FORM_TYPE):
        taken = f"{', '.join(RAW_TYPES)}, none at all, or {_FORM_TYPE} (of /v1/jobs, also application/json)"
        raise UnsupportedMediaType(f"expected a Content-Type of {taken}; got {shown_type(came)}")


def shown_type(came: str) -> str:
    """A media type as a refusal may name it: a known one; of another nobody knows what it says."""
    return came if came in (*RAW_TYPES, _FORM_TYPE, *_KNOWN_TYPES) else "another type"


def _check_size(size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise TooLarge(f"expected a body of at most {counted(max_bytes, 'byte')}")


def media_type(headers: Headers) -> str:
    """The type that the client states, without its options; httpx states none by itself."""
    return (headers.get("content-type") or RAW_TYPES[0]).partition(";")[0].strip().lower()
