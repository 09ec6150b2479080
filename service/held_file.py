"""A file that is sent whole, whatever becomes of its name once it was opened."""

import os
import weakref
from pathlib import Path

from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send


class HeldFile(FileResponse):
    """A file as a response that holds it open, from its making until it is sent or nobody wants it any more.

    Raises FileNotFoundError, when it is made and at no later time.
    """

    def __init__(self, path: Path, *, media_type: str, filename: str, headers: dict[str, str]) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        self._close = weakref.finalize(self, os.close, descriptor)
        super().__init__(
            f"/dev/fd/{descriptor}",  # what is opened by this has a position of its own
            media_type=media_type,
            filename=filename,
            headers=headers,
            stat_result=os.fstat(descriptor),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and let it go."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._close()
