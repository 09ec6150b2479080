"""The least rate of what a client sends, so that it cannot hold a place for ever with a byte now and then."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from service.errors import UploadTimedOut

_LEAST_BYTES_PER_S: Final = 1024


async def paced(chunks: AsyncGenerator[bytes, None], *, within_s: float) -> AsyncGenerator[bytes, None]:
    """Pass on what a client sends, as long as each `within_s` of waiting for it bring 1 KiB a second.

    What is done with it meanwhile, such as writing it to a slow disk, does not count. Raises UploadTimedOut.
    """
    clock = asyncio.get_running_loop().time
    wanted_bytes = within_s * _LEAST_BYTES_PER_S
    missing_bytes, left_s = wanted_bytes, within_s
    while True:
        began = clock()
        try:
            async with asyncio.timeout(left_s):
                chunk = await anext(chunks, None)
        except TimeoutError as error:
            raise UploadTimedOut(f"expected at least {wanted_bytes:g} bytes within {within_s:g} s") from error
        if chunk is None:
            return
        left_s -= clock() - began
        missing_bytes -= len(chunk)
        if missing_bytes <= 0:
            missing_bytes, left_s = wanted_bytes, within_s
        yield chunk
