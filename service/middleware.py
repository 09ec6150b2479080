"""The outermost layer of the API: what every response carries, and the end of every unexpected error."""

import asyncio
import logging
import time
from http import HTTPStatus
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from disyre.adapters.log_lines import log_about, where
from disyre.errors import ArtifactsAway, DisyreError, Unavailable
from service.audit import action_of, jobs_of, only_reads
from service.drain import Drain
from service.errors import InternalError
from service.problems import problem_response
from service.tracing import read_trace

logger = logging.getLogger(__name__)

MOST_READ_AFTER_REFUSAL_BYTES: Final = 64 * 2**20
"""Of a refused body; what has more left is not read, and the connection is closed."""
_LONGEST_READ_AFTER_REFUSAL_S: Final = 10.0
_LONGEST_SILENCE_S: Final = 1.0
"""A client that sends nothing for so long is answered at once."""
_LINGER_S: Final = 1.0
"""After an answer to a body that is not read to its end, the connection stays open for so long."""
_MOST_READ_MEANWHILE_BYTES: Final = 2 * 2**20
_PROBES: Final = (
    "get_liveness",
    "get_readiness",
    "get_server_liveness",
    "get_server_readiness",
    "get_metrics",
)
"""Routes that machines ask again and again."""
_ANSWERS_TO_PROBES: Final = (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE)


class Edge:
    """Gives each response the ids of its request, and turns what nobody caught into a problem document.

    The log has a line of each request that did something, or was refused. What is asked every second is not
    there; of the probes of a load balancer, which may be refused as often, one line says that this has begun,
    and one that it is over.
    """

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self._app = app
        self._drain = drain
        self._probes: dict[str, int] = {}
        """How each probe was answered last."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection of the ASGI server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = read_trace(Headers(scope=scope))
        scope.setdefault("state", {})["trace"] = trace
        began_s = time.monotonic()
        started = lingers = False
        body = _Body(scope, receive, self._drain)

        async def send_marked(message: Message) -> None:
            nonlocal started, lingers
            if message["type"] == "http.response.start":
                started = True
                self._tell(scope, message["status"], took_s=time.monotonic() - began_s)
                headers = MutableHeaders(scope=message)
                if message["status"] >= 400:
                    if message["status"] != HTTPStatus.REQUEST_TIMEOUT:
                        await body.read_to_its_end()
                    if not body.has_ended:
                        lingers = True
                        headers["Connection"] = "close"  # else the server takes the rest, and forgets it
                headers["X-Request-ID"] = trace.request_id
                if trace.traceparent is not None:
                    headers["traceparent"] = trace.traceparent
                headers["X-Content-Type-Options"] = "nosniff"
            elif lingers and not message.get("more_body", False):
                await send({**message, "more_body": True})  # all that there is: the client knows its length
                await body.linger()
                message = {"type": "http.response.body"}
            await send(message)

        with log_about(**trace.log_ids):
            failure: DisyreError
            try:
                await self._app(scope, body.receive, send_marked)
                return
            except asyncio.CancelledError:
                if started or not self._drain.has_begun:
                    raise
                failure = Unavailable("the service is stopping, and had no more time for this")
            except Exception as error:
                away = await _away(scope, error) if not started else None
                if away is None:
                    logger.error("request %s failed: %s", trace.request_id, where(error))
                if started:
                    raise
                failure = away or InternalError("the service failed; the request id finds it in the log")
            await problem_response(failure)(scope, body.receive, send_marked)

    def _tell(self, scope: Scope, status: int, *, took_s: float) -> None:
        """Write to the log how a request is answered; of what a client wrote, only what may be a job's id."""
        state = scope["state"]
        what = action_of(scope, status) or "an address or a method that there is not"
        if what in _PROBES and status in _ANSWERS_TO_PROBES:
            is_news = self._probes.get(what, HTTPStatus.OK) != status
            self._probes[what] = status
        else:
            is_news = status >= HTTPStatus.BAD_REQUEST or not only_reads(scope)
        if not is_news or state.get("is_one_of_many"):
            return
        jobs = "".join(f", job {job_id}" for job_id in jobs_of(scope))
        logger.info("%s: %d after %.2f s%s", what, status, took_s, jobs)


class _Body:
    """A request's body, and how much of it has come.

    Many clients read an answer only when they have sent all of their body: if the connection is closed
    before, they report a broken pipe and never the reason. So what is left of a refused body is read and
    forgotten, unless it is large, or the client waits for leave to send it (`Expect: 100-continue`). Nor is
    there time for it when the process is to stop: an answer that waits until then may not be sent at all.
    """

    def __init__(self, scope: Scope, receive: Receive, drain: Drain) -> None:
        headers = Headers(scope=scope)
        length = headers.get("Content-Length", "")
        self._left = int(length) if length.isdecimal() else MOST_READ_AFTER_REFUSAL_BYTES
        self._waits = "expect" in headers
        self._ended = length == "0" or (not length and "Transfer-Encoding" not in headers)
        self._receive = receive
        self._drain = drain

    @property
    def has_ended(self) -> bool:
        """Whether all of it was read, or there was none."""
        return self._ended

    async def receive(self) -> Message:
        """The next part, as of the ASGI server."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        self._waits = False  # the server has told the client to go on
        self._ended = self._ended or not message.get("more_body", False)
        return message

    async def linger(self) -> None:
        """Let the client read the answer, and get rid of some of what it sends meanwhile.

        A connection that is closed before what came is read is reset, and the answer may be lost by that.
        """
        if self._waits:
            return  # it has sent nothing
        stop_at = self._left - _MOST_READ_MEANWHILE_BYTES
        try:
            async with asyncio.timeout(_LINGER_S):
                while not self._ended and self._left > stop_at:
                    await self.receive()
                if not self._ended:
                    await asyncio.sleep(_LINGER_S)  # no more is read, so the client has to stop
        except TimeoutError:
            return
        except asyncio.CancelledError:
            if not self._drain.has_begun:
                raise  # else the process ends now, and the answer is sent

    async def read_to_its_end(self) -> None:
        """Read and forget what is left, within limits."""
        if self._ended or self._waits or self._left > MOST_READ_AFTER_REFUSAL_BYTES:
            return
        if self._drain.has_begun:
            return  # not even for a moment: the answer would be lost if the server ended this now
        try:
            async with asyncio.timeout(_LONGEST_READ_AFTER_REFUSAL_S) as deadline:
                with self._drain.waking(lambda: deadline.reschedule(0.0)):
                    while not self._ended and self._left >= 0:
                        await asyncio.wait_for(self.receive(), _LONGEST_SILENCE_S)
        except TimeoutError:
            return


async def _away(scope: Scope, error: Exception) -> ArtifactsAway | None:
    """Why files cannot be had now, if that is what the system told of; None if the failure is ours."""
    if isinstance(error, OSError):
        try:
            await run_in_threadpool(scope["app"].state.parts.artifacts.check_folder)
        except ArtifactsAway as away:
            return away
    return None
