"""Requests to archives whose answers are read bit by bit: what may go wrong with each (PS3.18)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx

from disyre.trust import distrust
from service.errors import ArchiveAway, ArchiveTimedOut, ArchiveWrong

_LATER: Final = {408, 425, 429}
"""Statuses after which it is worth while to try again, beside those of 5xx."""
_DENIED: Final = {401, 403}
_LONGEST_ANSWER_BYTES: Final = 4 * 1024**2


@asynccontextmanager
async def talking() -> AsyncIterator[None]:
    """Say in our words what goes wrong with a request in a block. Raises ArchiveAway or ArchiveTimedOut."""
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise ArchiveAway(unreached(error)) from error
    except httpx.TimeoutException as error:
        raise ArchiveTimedOut("the archive was silent for too long") from error
    except httpx.HTTPError as error:
        raise ArchiveAway(unreached(error)) from error


def unreached(error: httpx.HTTPError) -> str:
    """Why a request to an archive got no answer, in words that say nothing of where it is."""
    about_tls = distrust(error)
    if about_tls is not None:
        return f"the archive cannot be reached: {about_tls}"
    why = "no connection" if isinstance(error, httpx.ConnectError) else type(error).__name__
    return f"the archive cannot be reached ({why})"


def check_status(answer: httpx.Response) -> None:
    """Raise ArchiveAway or ArchiveWrong if an answer is none that was asked for, or is compressed."""
    status = answer.status_code
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in _LATER:
        raise ArchiveAway(f"the archive answered {status}")
    if status in _DENIED:
        raise ArchiveWrong(f"the archive answered {status}: it does not let this service in")
    if answer.is_redirect:
        raise ArchiveWrong(f"the archive answered {status}: it sends elsewhere, where nobody follows")
    if status != httpx.codes.OK:
        raise ArchiveWrong(f"the archive answered {status}")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ArchiveWrong("the archive answered in a Content-Encoding, for which nobody asked")


async def read_answer(answer: httpx.Response) -> bytes:
    """The body of a short answer. Raises ArchiveWrong if it is none."""
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > _LONGEST_ANSWER_BYTES:
            raise ArchiveWrong("the archive answered with more than an answer has")
    return bytes(body)
