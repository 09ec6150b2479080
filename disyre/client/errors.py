"""What can go wrong between a client and the API. A refusal carries the problem document of the answer."""

from typing import Final

from disyre.client.documents import ProblemDocument


class ClientError(Exception):
    """Base of every error that the client raises on purpose."""


class NothingToSend(ClientError):
    """There is no file in what was to be sent."""


class MissingFile(NothingToSend, FileNotFoundError):
    """There is no file of that name; `filename` is the one."""


class FileChanged(ClientError):
    """A file was written to while it was sent."""


class Unreachable(ClientError):
    """No answer came."""


class ConnectionLost(Unreachable):
    """The connection broke when something had been sent already: what became of it is not known."""


class WaitTimeout(ClientError, TimeoutError):
    """The job had not ended when the time to wait for it was over; it goes on."""


class UnexpectedAnswer(ClientError):
    """What answered is not the API, or none that this client understands."""


class DamagedResult(ClientError):
    """A file that was downloaded is not the one of the list of results."""


class Refused(ClientError):
    """The API answered with an error."""

    def __init__(
        self, problem: ProblemDocument, *, retry_after_s: float | None = None, after_loss: bool = False
    ) -> None:
        super().__init__(f"{problem.status} {problem.code}: {problem.detail}")
        self.problem = problem
        self.retry_after_s = retry_after_s
        """When to ask again, if the answer said so."""
        self.after_loss = after_loss
        """Whether the answer to an earlier sending of the same request was lost: it may have been done."""


class InvalidRequest(Refused):
    """The same request will be refused again (4xx)."""


class NotAuthorized(Refused):
    """The key is missing, unknown, or does not allow this (401, 403)."""


class NotFound(Refused):
    """There is no such job, file or model, or it belongs to another key (404)."""


class Conflict(Refused):
    """The job is in a state in which this cannot be done (409)."""


class Gone(Refused):
    """The job is over, and what it held was removed when its time was over (410)."""


class Busy(Refused):
    """Not now: too many requests, a full queue or disk, or a broker that is away (429, 503, 507)."""


class ServerFault(Refused):
    """A fault of the service, or of something in front of it (other 5xx)."""


_KINDS: Final[dict[int, type[Refused]]] = {
    401: NotAuthorized,
    403: NotAuthorized,
    404: NotFound,
    409: Conflict,
    410: Gone,
    429: Busy,
    503: Busy,
    507: Busy,
}
_FIRST_FAULT: Final = 500


def refusal(
    problem: ProblemDocument, *, retry_after_s: float | None = None, after_loss: bool = False
) -> Refused:
    """The error of a problem document, of the kind that its status says."""
    kind = _KINDS.get(problem.status, InvalidRequest if problem.status < _FIRST_FAULT else ServerFault)
    return kind(problem, retry_after_s=retry_after_s, after_loss=after_loss)
