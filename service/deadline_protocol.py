"""HTTP/1.1 with deadlines: who does not finish the head of a request, or takes no answer, is cut off.

The protocol is uvicorn's, which by itself waits for ever for the rest of a request line or of headers, and
keeps as many of them in memory as come; and for ever until an answer is taken. It also reads as many requests
as come at once, before it does anything else.
"""

import asyncio
import logging
import uuid
from typing import Final

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from disyre.adapters.log_lines import log_about
from disyre.errors import DisyreError
from service.crowd import Crowd
from service.errors import HeadTimedOut, HeadTooLarge, MalformedRequest, TooManyConnections
from service.offered_protocols import OfferIgnoringProtocol
from service.outflow import Outflow
from service.problems import problem_response
from service.request_head import fault_of
from service.small_chunks import SmallChunks

logger = logging.getLogger(__name__)

_NO_HTTP: Final = "expected a request as HTTP/1.1 has it (for one, not a Content-Length beside chunks)"
_SMALL_CHUNKS: Final = "expected a body in chunks of some size, got thousands of a few bytes each"
_LONGEST_HEAD_BYTES: Final = 64 * 1024
_HEAD_ENDS: Final = b"\r\n\r\n"
_MOST_WAITING: Final = 16
"""So many requests may wait behind the one that is under way, on one connection."""
_MOST_REFUSED: Final = 50
"""So many may be about to read that they are too many, or that the process lives."""
_SHORT_HEAD_S: Final = 1.0
"""So long one that is too many may take to ask for that."""
_LIVENESS: Final = b"/livez"
_LOOKS: Final = 4
"""So often it is looked whether a client takes an answer, within the time that it has for it."""
_LINGER_S: Final = 1.0
"""So long what still comes after a refusal is thrown away: closed at once, the client may lose the answer."""
_LINGER_BYTES: Final = 2 * 2**20
"""So much of it; what is more is not read."""


class TooManyWaiting(Exception):
    """A client has sent more requests than may wait for the answer to another."""


class DeadlineProtocol(OfferIgnoringProtocol):
    """One connection. uvicorn's `timeout_keep_alive` is the time for a head, and between two requests."""

    _deadline: asyncio.TimerHandle | None = None
    """Set while the client owes a request."""
    _head_bytes: int | None = None
    """How much came since a head began, also of one whose end did not come yet; None between two heads."""
    _body_bytes: int = 0
    """How much of what came last is of bodies."""
    _field_bytes: int = 0
    """How long the target and the headers of the last head are, whatever came behind them."""
    _refusal: DisyreError | None = None
    """Why what is being read is refused, if it is for another reason than that it is no HTTP."""
    _chunks: SmallChunks
    """Of the body that is being read."""

    _under_way: RequestResponseCycle | None = None
    """The request that was last begun; `cycle` is the one that was last read, and may wait behind it."""
    _is_over: bool = False
    """Whether nothing more is read: a refusal was the last answer, or what is under way will be."""
    _n_thrown_away: int = 0
    """Bytes that came when it was over."""
    _is_too_many: bool = False
    """Whether there was no room for it: it is told no more than that the process lives."""
    _outflow: Outflow
    _next_look: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there, and owes a request; in a crowd it is refused, or told nothing at all."""
        super().connection_made(transport)
        crowd: Crowd = self.config.crowd  # type: ignore[attr-defined]
        n_connections = len(self.connections)
        self._is_too_many = not crowd.has_room(n_connections)
        self._outflow = Outflow(transport, within_s=self._send_timeout_s)
        self._chunks = SmallChunks()
        self._look_later()
        if n_connections <= crowd.most + _MOST_REFUSED:
            self._set_deadline()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._lift_deadline()
        self._next_look.cancel()
        self._forget_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came. A head that becomes too long is refused."""
        if self._is_over:
            self._throw_away(data)
            return
        if self._is_idle():
            self._set_deadline()
        self._body_bytes = 0
        self._chunks.begin_block()
        super().data_received(data)
        if self._head_bytes is not None:
            self._head_bytes += min(len(data) - self._body_bytes, len(data.rpartition(_HEAD_ENDS)[2]))
            if self._head_bytes > _LONGEST_HEAD_BYTES:
                self._refuse(_too_large())

    def on_message_begin(self) -> None:
        """The first byte of a request; it may come while the one before it is not answered yet.

        Raises TooManyWaiting, which ends the reading, when too many do.
        """
        if len(self.pipeline) >= _MOST_WAITING:
            self._end_with_what_is_under_way()
            raise TooManyWaiting
        super().on_message_begin()
        self._head_bytes = self._field_bytes = 0
        self._chunks = SmallChunks()
        self._set_deadline()

    def on_url(self, url: bytes) -> None:
        """The target of the request, or a part of it. Raises HeadTooLarge, which ends the reading."""
        self._take(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or what comes behind a body in chunks, which is ignored (RFC 9110, 6.5.1).

        Raises HeadTooLarge, which ends the reading.
        """
        self._take(len(name) + len(value) + len(": \r\n"))
        if self._head_bytes is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head of the request is whole; its body has a deadline of its own.

        Raises what is wrong with it for any request, which ends the reading.
        """
        self._refusal = fault_of(self.parser.get_http_version(), self.headers)
        if self._refusal is None and self._is_too_many and self.url != _LIVENESS:
            self._refusal = self._too_many()
        if self._refusal is not None:
            raise self._refusal
        self._lift_deadline()
        super().on_headers_complete()
        if self._is_too_many:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of a body. Raises MalformedRequest, which ends the reading, if it comes in too many."""
        self._body_bytes += len(body)
        if self._chunks.take(len(body)):
            if self._is_idle():  # it was answered
                self.transport.close()
            self._refusal = MalformedRequest(_SMALL_CHUNKS)
            raise self._refusal
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        if not self._is_over:
            self._refuse(self._refusal or MalformedRequest(_NO_HTTP))

    def _throw_away(self, data: bytes) -> None:
        self._n_thrown_away += len(data)
        if self._n_thrown_away > _LINGER_BYTES:
            self.transport.pause_reading()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._under_way = cycle
        super()._start_asgi_task(cycle, app)

    def _forget_waiting(self) -> None:
        """Leave what is under way the only request, so that it hears of it when the client is gone."""
        self.pipeline.clear()
        if self._under_way is not None:
            self.cycle = self._under_way

    def _end_with_what_is_under_way(self) -> None:
        logger.info("cut off: more than %d requests wait for the answer to another", _MOST_WAITING)
        self._is_over = True
        self._lift_deadline()
        self._forget_waiting()
        self.cycle.keep_alive = False

    def _take(self, n_bytes: int) -> None:
        self._field_bytes += n_bytes
        if self._field_bytes > _LONGEST_HEAD_BYTES:
            self._refusal = _too_large()
            raise self._refusal

    def _is_idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def _send_timeout_s(self) -> float:
        return float(self.config.send_timeout_s)  # type: ignore[attr-defined]

    def _look_later(self) -> None:
        self._next_look = self.loop.call_later(self._send_timeout_s / _LOOKS, self._look)

    def _look(self) -> None:
        """Cut the client off if it does not take what it is sent."""
        if self._outflow.is_stuck(self.loop.time()):
            logger.info("cut off: of an answer, too little was taken in %g s", self._send_timeout_s)
            self._outflow.cut()
        else:
            self._look_later()

    def _set_deadline(self) -> None:
        if self._deadline is None:
            within_s = _SHORT_HEAD_S if self._is_too_many else self.timeout_keep_alive
            self._deadline = self.loop.call_later(within_s, self._give_up)

    def _lift_deadline(self) -> None:
        self._head_bytes = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self._is_idle():
            self.cycle.keep_alive = False  # the answer that is under way is the last one
        elif self._is_too_many:
            self._refuse(self._too_many())
        elif self._head_bytes is None:
            self.transport.close()
        else:
            self._refuse(HeadTimedOut(f"the headers did not arrive within {self.timeout_keep_alive} s"))

    def _too_many(self) -> TooManyConnections:
        most = self.config.crowd.most  # type: ignore[attr-defined]
        return TooManyConnections(f"expected at most {most} clients at a time, got more")

    def _refuse(self, error: DisyreError) -> None:
        """Close the connection; with an answer, unless that would be taken for one to another request."""
        is_next = self.cycle is self._under_way and not self._is_idle()
        in_body = self._head_bytes is None and is_next and not self.cycle.response_started
        self._lift_deadline()
        if self.transport.is_closing():
            return
        if in_body or self._is_idle():
            response, request_id = problem_response(error), uuid.uuid4().hex
            if not isinstance(error, TooManyConnections):  # the log says when it begins
                with log_about(request=request_id):
                    logger.info("refused before there was a request: %s", error.code)
            marks = [(b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff")]
            fields = [*response.raw_headers, *marks, (b"connection", b"close")]
            head = b"".join(b"%s: %s\r\n" % field for field in fields)
            self.transport.write(STATUS_LINE[response.status_code] + head + b"\r\n" + bytes(response.body))
            self.transport.write_eof()
            self._is_over = True
            self.loop.call_later(_LINGER_S, self.transport.close)
        else:
            self.transport.close()


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(f"expected headers of at most {_LONGEST_HEAD_BYTES} bytes")
