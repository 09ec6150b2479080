"""Requests that are sent again when the API is busy or the connection breaks, where that does no harm."""

import email.utils
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

import httpx
from pydantic import ValidationError

from disyre.client.address import is_this_machine, origin_of, prefix_of, read_address
from disyre.client.api_key import read_key
from disyre.client.bodies import Body
from disyre.client.documents import Document, ProblemDocument
from disyre.client.errors import (
    ClientError,
    ConnectionLost,
    FileChanged,
    Refused,
    UnexpectedAnswer,
    Unreachable,
    refusal,
)
from disyre.client.trusted import trusted_at
from disyre.trust import distrust

D = TypeVar("D", bound=Document)

KEY_HEADER: Final = "X-API-Key"

_CONNECT_S: Final = 10.0
_ANSWER_S: Final = 60.0
"""As long the API may take for the next byte of an answer; longer than it may wait for news."""
_VERDICT_S: Final = 300.0
"""The same where it has to look into an upload first."""
_REFUSED_FOR_NOW: Final = frozenset({429, 503})
_LOST_ON_THE_WAY: Final = frozenset({502, 504})
"""A proxy's word for an API whose answer it did not get."""
_STILL_RECEIVING: Final = "still-receiving"
"""Code of the refusal of a submission that is being received already, as after a broken connection."""
_OF_AN_ARCHIVE: Final = ("archive-answer", "archive-timed-out", "series-incomplete")
"""Codes of the API, whose own word it is: it has asked the archive several times already, or for long."""
_NO_ADDRESS: Final = ("not-found", "http-404")
"""Codes for an address that there is not, of the API and of others."""
_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between two sendings, where the API does not say when."""
_NOT_MODIFIED: Final = 304


def _yes() -> bool:
    return True


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str | list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    answer_s: float | None = None
    """As long the API may take for its answer; None for as long as it may with any request of this kind."""
    may_repeat: Callable[[], bool] = _yes
    """Whether doing it twice does no harm; asked only when it may have been done."""


@dataclass(frozen=True)
class Answer:
    """What came of a request."""

    is_partial: bool
    """Whether it is the part that was asked for, and not the whole."""
    is_empty: bool
    """Whether it says that there is nothing (204)."""
    pieces: Iterator[bytes]
    """Its bytes. Raises Unreachable."""


class Patience:
    """How long the same thing is tried again."""

    def __init__(self, for_s: float, *, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._for_s = for_s
        self._sleep = sleep
        self._clock = clock
        self._until: float | None = None
        self._n_pauses = 0

    def pause(self, error: ClientError, pause_s: float | None = None) -> None:
        """Wait before the next try; raises `error` if there is no time for one."""
        now = self._clock()
        if self._until is None:
            self._until = now + self._for_s
        if pause_s is None:
            pause_s = _PAUSES_S[min(self._n_pauses, len(_PAUSES_S) - 1)]
        pause_s = max(pause_s, _PAUSES_S[0])
        if now + pause_s > self._until:
            raise error
        self._n_pauses += 1
        self._sleep(pause_s)


class Connection:
    """A way to one API."""

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None,
        retry_for_s: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        url = read_address(base_url)
        self._http = httpx.Client(
            base_url=url,
            headers={KEY_HEADER: read_key(key)} if key else {},
            verify=trusted_at(url),
            trust_env=not is_this_machine(url.host),  # no proxy lies before one's own machine
        )
        self._prefix = prefix_of(url)
        self._retry_for_s = retry_for_s
        self._sleep = sleep
        self._clock = clock

    def close(self) -> None:
        """Let go of open connections."""
        self._http.close()

    def patience(self) -> Patience:
        """A new one, for one thing that is tried."""
        return Patience(self._retry_for_s, sleep=self._sleep, clock=self._clock)

    def ask(self, call: Call) -> httpx.Response:
        """The answer to a request, read to its end. Raises Refused, Unreachable or UnexpectedAnswer."""
        return self._send(call, stream=False)

    @contextmanager
    def stream(self, call: Call) -> Iterator[Answer]:
        """An answer that is read bit by bit, for the length of a block.

        Raises Refused, Unreachable or UnexpectedAnswer.
        """
        response = self._send(call, stream=True)
        try:
            status = response.status_code
            yield Answer(
                is_partial=status == httpx.codes.PARTIAL_CONTENT,
                is_empty=status == httpx.codes.NO_CONTENT,
                pieces=_pieces(response),
            )
        finally:
            response.close()

    def _send(self, call: Call, *, stream: bool) -> httpx.Response:
        patience = self.patience()
        was_lost = False
        while True:
            try:
                response = self._http.send(self._request(call), stream=stream)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                patience.pause(_not_connected(error))
                continue
            except httpx.LocalProtocolError as error:
                raise _unwritable(error) from None
            except httpx.RequestError as error:
                was_lost = True
                patience.pause(self._after_loss(call, error))
                continue
            if response.is_success or response.status_code == _NOT_MODIFIED:
                return response
            refused = _refused(response, prefix=self._prefix, after_loss=was_lost)
            if refused.problem.code in _OF_AN_ARCHIVE:
                raise refused
            if response.status_code in _LOST_ON_THE_WAY and call.may_repeat():
                was_lost = True
            elif response.status_code not in _REFUSED_FOR_NOW and refused.problem.code != _STILL_RECEIVING:
                raise refused
            patience.pause(refused, refused.retry_after_s)

    def _request(self, call: Call) -> httpx.Request:
        body = call.body
        headers = body.headers if body else {}
        try:
            return self._http.build_request(
                call.method,
                call.path,
                params={**call.query, **(body.query if body else {})},
                headers={**call.headers, **headers},
                content=_of_length(body, int(headers["Content-Length"])) if body else None,
                timeout=httpx.Timeout(
                    call.answer_s or (_VERDICT_S if body else _ANSWER_S), connect=_CONNECT_S
                ),
            )
        except (httpx.InvalidURL, UnicodeError) as error:
            raise _unwritable(error) from None

    @staticmethod
    def _after_loss(call: Call, error: httpx.RequestError) -> ClientError:
        """What to raise in the end; at once if the request must not be sent again."""
        if call.may_repeat():
            return _unreachable(error)
        raise ConnectionLost(
            "the connection broke before the answer came, and the service may have done what was asked: look "
            f"at its list of jobs before you send it again ({type(error).__name__})"
        ) from error


def _of_length(body: Body, length: int) -> Iterator[bytes]:
    """The pieces of a body. Raises FileChanged if they are not as long as was announced."""
    left = length
    for piece in body:
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        raise FileChanged("a file became shorter or longer while it was sent")


def read(kind: type[D], response: httpx.Response) -> D:
    """The document in an answer. Raises UnexpectedAnswer."""
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"expected a document of the disyre API, got another answer of {origin_of(response.url)}"
        ) from error


def _pieces(response: httpx.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_raw()
    except httpx.RequestError as error:
        raise _unreachable(error) from error


def _unreachable(error: httpx.RequestError) -> Unreachable:
    return Unreachable(f"{origin_of(error.request.url)} gave no whole answer ({type(error).__name__})")


def _unwritable(error: Exception) -> ClientError:
    """The error of a request that HTTP has no way to write; what is wrong in it may be a secret."""
    return ClientError(
        f"expected what can be sent in an HTTP request, got other text ({type(error).__name__})"
    )


def _not_connected(error: httpx.TransportError) -> Unreachable:
    reason = distrust(error) or str(error).partition("] ")[2] or str(error) or type(error).__name__
    return Unreachable(
        f"expected a disyre API at {origin_of(error.request.url)}, got no connection: {reason}"
    )


def _refused(response: httpx.Response, *, prefix: str, after_loss: bool) -> Refused:
    """The error in an answer; `prefix` is the path below which the API was looked for.

    Raises UnexpectedAnswer if it is none, but a way to somewhere else.
    """
    status = response.status_code
    if status < httpx.codes.BAD_REQUEST:
        response.close()
        where = origin_of(response.url)
        raise UnexpectedAnswer(f"expected an answer of the disyre API, got a {status} of {where}")
    try:
        problem = ProblemDocument.model_validate_json(response.read())
    except (ValidationError, httpx.RequestError):  # of something in front of the API
        detail = f"{origin_of(response.url)} answered without saying why"
        problem = ProblemDocument(status=status, code=f"http-{status}", detail=detail)
    finally:
        response.close()
    if prefix and problem.code in _NO_ADDRESS:
        hint = f"is the API below {prefix} there? If no proxy puts it there, leave that out of the address"
        problem = problem.model_copy(update={"detail": f"{problem.detail}; {hint}"})
    return refusal(problem, retry_after_s=_retry_after_s(response), after_loss=after_loss)


def _retry_after_s(response: httpx.Response) -> float | None:
    """The time in Retry-After, which is in seconds or a date."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        at = email.utils.parsedate_to_datetime(said)
    except ValueError:
        return None
    left = at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)
    return max(0.0, left.total_seconds())
