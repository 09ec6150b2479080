"""A file that is sent whole, whatever becomes of its name once it was opened."""

import asyncio
import os
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import CapacityLimiter
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from service.limiters import in_thread


class HeldFile(FileResponse):
    """A file as a response that holds it open, from its making until it is sent or nobody wants it any more.

    Raises FileNotFoundError, when it is made and at no later time.
    """

    chunk_size = 16 * 1024
    """Two of them are in memory for a client that is slow."""

    def __init__(
        self,
        path: Path,
        threads: CapacityLimiter,
        *,
        media_type: str,
        filename: str,
        headers: dict[str, str],
    ) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        self._file = _Reader(descriptor, threads)
        self._close = weakref.finalize(self, os.close, descriptor)
        super().__init__(
            f"/dev/fd/{descriptor}",
            media_type=media_type,
            filename=filename,
            headers=headers,
            stat_result=os.fstat(descriptor),
        )

    @asynccontextmanager
    async def _open_file(self) -> AsyncIterator["_Reader"]:  # type: ignore[override]
        """What is open already, instead of opening it once more."""
        yield self._file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and let it go."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._close()


class _Reader:
    """Reads a file with a position of its own; what has to come from the disk, in one of some threads."""

    def __init__(self, descriptor: int, threads: CapacityLimiter) -> None:
        self._descriptor = descriptor
        self._threads = threads
        self._position = 0

    async def seek(self, position: int) -> None:
        """Go on there."""
        self._position = position

    async def read(self, n_bytes: int) -> bytes:
        """The next bytes; fewer only at the end."""
        found = self._at_hand(n_bytes)
        if len(found) == n_bytes:
            await asyncio.sleep(0)  # a client that is fast is not served alone
        else:
            found = await in_thread(self._threads, os.pread, self._descriptor, n_bytes, self._position)
        self._position += len(found)
        return found

    def _at_hand(self, n_bytes: int) -> bytes:
        """The next bytes as far as the system has them in memory: no disk is waited for."""
        found = bytearray(n_bytes)
        try:
            n_found = os.preadv(self._descriptor, [found], self._position, os.RWF_NOWAIT)
        except OSError:  # none of them, or a file system that does not tell
            return b""
        return bytes(memoryview(found)[:n_found])
