"""What can be wrong with a request, beside what can be wrong with a scan (`disyre.errors`)."""

from disyre.errors import DisyreError, IllegalTransition, InvalidInput, Unavailable, UnknownModel


class MalformedRequest(InvalidInput):
    """The request does not follow the rules of HTTP or of its media type."""

    code = "malformed-request"


class VersionNotSupported(InvalidInput):
    """The request is of a version of HTTP that is not spoken here."""

    code = "http-version-not-supported"


class TransferCodingUnknown(InvalidInput):
    """The body is encoded for its way in one that is not read here."""

    code = "transfer-coding-unknown"


class InvalidRequest(InvalidInput):
    """A field of the query is wrong, or there is none of that name."""

    code = "invalid-request"


class DigestMismatch(MalformedRequest):
    """The body is not the one that the client says it sent."""

    code = "digest-mismatch"


class Unauthenticated(InvalidInput):
    """The caller has shown no key, or none that there is."""

    code = "unauthenticated"


class InvalidToken(Unauthenticated):
    """The caller has shown a token that does not count, or not any more."""


class ProviderAway(Unavailable):
    """The identity provider has given no keys, so nobody knows whether a token counts."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """When it is asked again."""


class Forbidden(InvalidInput):
    """The caller's key is not for this."""

    code = "forbidden"


class ForeignHost(InvalidInput):
    """The request names a host that is not this service's, which asks for no keys."""

    code = "foreign-host"


class ForeignOrigin(InvalidInput):
    """A web page of another origin has sent the request, to a service that asks for no keys."""

    code = "foreign-origin"


class RateLimited(Unavailable):
    """The caller does more than its share."""

    code = "rate-limited"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """When there is room for the next call."""


class IdempotencyMismatch(InvalidInput):
    """The idempotency key was used for another submission."""

    code = "idempotency-mismatch"


class UnsupportedMediaType(InvalidInput):
    """A body of this type or encoding is not read here."""

    code = "unsupported-media-type"


class NotAcceptable(InvalidInput):
    """The client takes none of the media types that there are."""

    code = "not-acceptable"


class UploadTimedOut(InvalidInput):
    """The body did not arrive in time."""

    code = "upload-timed-out"


class TooManyConnections(Unavailable):
    """As many clients are connected as may be."""

    code = "too-many-connections"


class HeadTimedOut(InvalidInput):
    """The request line and the headers did not arrive in time."""

    code = "head-timed-out"


class HeadTooLarge(InvalidInput):
    """The request line and the headers are too long."""

    code = "head-too-large"


class ClientGone(InvalidInput):
    """The client left while it sent its request; nobody will read this."""

    code = "client-gone"


class RangeNotSatisfiable(InvalidInput):
    """The wanted bytes lie outside the file."""

    code = "range-not-satisfiable"

    def __init__(self, message: str, *, size_bytes: int) -> None:
        super().__init__(message)
        self.size_bytes = size_bytes
        """Of the file."""


class ModelNotFound(UnknownModel):
    """The address names a model that is not installed."""


class JobNotFinished(IllegalTransition):
    """The results are not there yet."""

    code = "job-not-finished"


class JobWithoutResults(IllegalTransition):
    """The job has ended without results."""

    code = "job-without-results"


class UnknownServer(InvalidInput):
    """No archive of this name is in the operator's list."""

    code = "unknown-server"


class NoDicomResults(IllegalTransition):
    """The job has no results as DICOM: its scan was none, or they were not asked for."""

    code = "no-dicom-results"


class SeriesNotHeld(IllegalTransition):
    """The series is not here, or not all of the images that were named."""

    code = "series-not-held"


class WorkitemExists(IllegalTransition):
    """There is a workitem of this UID."""

    code = "workitem-exists"


class NotThePerformer(IllegalTransition):
    """The state of a workitem is changed by who performs it, which is the service."""

    code = "not-the-performer"


class SeriesNotFound(InvalidInput):
    """The archive has no such series."""

    code = "series-not-found"


class ArchiveAway(Unavailable):
    """The archive cannot be reached, or asks to come back later."""

    code = "archive-unavailable"


class ArchiveTimedOut(Unavailable):
    """The archive did not give the series in time."""

    code = "archive-timed-out"


class ArchiveWrong(DisyreError):
    """The archive does not let the service in, or answers with something else than what was asked for."""

    code = "archive-answer"


class SeriesIncomplete(ArchiveWrong):
    """The archive has not given all images that it says it has, however often it was asked."""

    code = "series-incomplete"


class InternalError(DisyreError):
    """Something went wrong that nobody thought of."""


class InputGone(IllegalTransition):
    """The scan of the job was removed, as it was refused: it has to be submitted again."""

    code = "input-gone"
