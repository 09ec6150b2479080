"""What a request is told when the server ends it: twice, if it is not quick."""

import asyncio
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from service.drain import Drain
from service.middleware import Edge

_UPLOAD: Scope = {
    "type": "http",
    "method": "POST",
    "path": "/v1/jobs",
    "query_string": b"",
    "headers": [(b"transfer-encoding", b"chunked")],
}


def test_an_upload_that_the_server_cancels_again_while_it_is_refused_is_still_told_why() -> None:
    """As at a stop: the server cancels it after its grace, and the loop cancels it at its end."""
    assert asyncio.run(_told()) == [503]


async def _told() -> list[int]:
    drain, sent = Drain(), []

    async def waits_for_its_body(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            await receive()

    async def nothing_comes() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def note(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {**_UPLOAD, "state": {}}
    request = asyncio.create_task(Edge(waits_for_its_body, drain)(scope, nothing_comes, note))
    await asyncio.sleep(0)
    drain.begin()
    request.cancel()
    await asyncio.sleep(0)
    request.cancel()
    await asyncio.wait([request])
    return [message["status"] for message in sent if message["type"] == "http.response.start"]
