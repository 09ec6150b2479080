"""The calls of the API, each a method."""

import builtins
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, Unpack
from urllib.parse import quote

from disyre.client.archives import Archives
from disyre.client.bodies import Body, JsonBody, ScanPath, make_body
from disyre.client.connection import Call, Connection, read
from disyre.client.documents import (
    Document,
    InspectionDocument,
    ResultsDocument,
)
from disyre.client.downloads import download
from disyre.client.errors import ClientError, Conflict, NotFound, WaitTimeout
from disyre.client.events import events
from disyre.client.idempotency_key import read_idempotency_key
from disyre.client.job_documents import EventDocument, JobDocument, JobPageDocument, StudyDocument
from disyre.client.model_documents import ModelDocument, ModelListDocument
from disyre.client.options import JobOptions
from disyre.client.paths import JOBS, STUDIES, path_of
from disyre.client.queue_documents import QueueDocument

D = TypeVar("D", bound=Document)

OnProgress = Callable[[JobDocument], None]
"""Is told of a job each time that there is news of it."""

_LONGEST_WAIT_S: Final = 25.0
"""That one request may wait for news."""
_LOOK_AT_THE_QUEUE_S: Final = 2.0
"""A place in the queue is no news of its job: it is looked at so often."""
_FETCHED_S: Final = 960.0
"""As long the API may take to fetch a series: a little longer than it does by itself."""
_NOT_MODIFIED: Final = 304
_STOPPED: Final = ("canceling", "canceled")
_MAY_BE_RETRIED: Final = ("failed", "canceled")


class Client:
    """Talks to one API. Usable by several threads at a time."""

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        key: str | None = None,
        retry_for_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key` is an API key.

        What the API refuses for now (429, 503), and what got no answer and may be repeated, is tried again
        for up to `retry_for_s` seconds. Raises ClientError if `base_url` is no address, or SSL_CERT_FILE has
        no certificates.
        """
        self._clock = clock
        self._connection = Connection(base_url, key=key, retry_for_s=retry_for_s, sleep=sleep, clock=clock)
        self.archives: Final = Archives(self._connection)
        """The calls about archives."""

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of open connections."""
        self.close()

    def close(self) -> None:
        """Let go of open connections."""
        self._connection.close()

    def submit(
        self,
        scan: ScanPath,
        *,
        mask: Path | str | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[JobOptions],
    ) -> JobDocument:
        """Submit a scan: a file, the files of a DICOM series, or the folder that they are in.

        `mask` is a brain mask on the scan's grid. Two submissions with the same `idempotency_key` give one
        job, where the service knows such keys; without one, each submission has a key of its own.
        Raises NothingToSend, its kind MissingFile, OSError if a file cannot be read, ClientError if the key
        cannot be one, Refused, Unreachable, or ConnectionLost if there may be a job now.
        """
        return self._submit(JobDocument, JOBS, make_body(scan, mask, options), idempotency_key)

    def pull(
        self,
        server: str,
        study: str,
        series: str,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[JobOptions],
    ) -> JobDocument:
        """Have the service fetch a series from an archive, and score it.

        `server` is the name that the operator has given to the archive, `study` and `series` are UIDs. The
        answer comes once the series was fetched. Raises as `submit`.
        """
        source = {"type": "dicomweb", "server": server, "study": study, "series": series}
        body = JsonBody({"source": source, "params": dict(options)})
        return self._submit(JobDocument, JOBS, body, idempotency_key, answer_s=_FETCHED_S)

    def study(
        self, files: ScanPath, *, idempotency_key: str | None = None, **options: Unpack[JobOptions]
    ) -> StudyDocument:
        """Submit the DICOM files of a study: a job for each series that can be scored.

        The options are those that fit all series. Raises as `submit`.
        """
        return self._submit(StudyDocument, STUDIES, make_body(files, None, options), idempotency_key)

    def inspect(
        self, scan: ScanPath, *, mask: Path | str | None = None, **options: Unpack[JobOptions]
    ) -> InspectionDocument:
        """The volumes in a scan, without a job. Raises NothingToSend, OSError, Refused or Unreachable."""
        call = Call("POST", "/v1/inspect", body=make_body(scan, mask, options))
        return read(InspectionDocument, self._connection.ask(call))

    def job(self, job: JobDocument | str) -> JobDocument:
        """A job as it is now. Raises Refused or Unreachable."""
        return self._get(JobDocument, path_of(job))

    def list(
        self,
        *,
        states: Iterable[str] = (),
        model: str | None = None,
        labels: Mapping[str, str] | None = None,
        series_uid: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        page_size: int = 50,
    ) -> Iterator[JobDocument]:
        """All jobs, or those for which all this holds, the newest first; asks for the next page when needed.

        Times without a zone are of this machine's; a job of `created_after` is in the list, one of
        `created_before` is not. Raises ClientError at once for a time that is no datetime; Refused or
        Unreachable.
        """
        filters = {
            "model": model,
            "series_uid": series_uid,
            "created_after": _in_utc("created_after", created_after),
            "created_before": _in_utc("created_before", created_before),
        }
        query: dict[str, str | builtins.list[str]] = {
            "limit": str(page_size),
            "state": [*states],
            "label": [f"{name}:{value}" for name, value in (labels or {}).items()],
            **{name: value for name, value in filters.items() if value is not None},
        }
        return self._pages(query)

    def events(self, job: JobDocument | str) -> Iterator[EventDocument]:
        """Each change of a job as it happens, first how it is now, up to its end; none twice.

        A connection that breaks is gone on with. Raises Refused or Unreachable.
        """
        return events(self._connection, f"{path_of(job)}/events")

    def wait(
        self,
        job: JobDocument | str,
        on_progress: OnProgress | None = None,
        *,
        progress: bool | str = False,
        timeout_s: float | None = None,
    ) -> JobDocument:
        """A job when it is finished, however it ended; `on_progress` is told of all news before.

        With `progress` there is a bar on stderr, if that is a terminal or a notebook, with the text that it
        is, or else the job's id, before it. Raises WaitTimeout, Refused or Unreachable.
        """
        if progress:
            from disyre.client.bar import job_bar  # needs rich, which nothing else here does

            name = progress if isinstance(progress, str) else job if isinstance(job, str) else job.id
            with job_bar(name) as bar:
                return self.wait(job, _both(bar.show, on_progress), timeout_s=timeout_s)
        until = None if timeout_s is None else self._clock() + timeout_s
        seen = self.job(job)
        while True:
            if on_progress is not None:
                on_progress(seen)
            if seen.is_finished:
                return seen
            left_s = _LONGEST_WAIT_S if until is None else min(_LONGEST_WAIT_S, until - self._clock())
            if left_s <= 0:
                raise WaitTimeout(f"the job is {seen.state} after {timeout_s:g} s")
            seen = self._news(seen, left_s, of_all=on_progress is not None)

    def results(
        self, job: JobDocument | str, folder: Path | str, *, names: Collection[str] | None = None
    ) -> tuple[Path, ...]:
        """Have all results of a job in a folder, whole: each is compared with its SHA-256.

        `names` are those that are wanted. What is there already is not fetched again, and what is there in
        part is gone on with. Raises ClientError for an empty text as folder, Refused, Unreachable,
        DamagedResult or OSError.
        """
        if folder == "":
            raise ClientError("expected a folder for the results, got an empty text; the current one is '.'")
        manifest = self._get(ResultsDocument, f"{path_of(job)}/results")
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        return tuple(
            download(
                self._connection, f"{path_of(job)}/results/{quote(result.name, safe='')}", result, target
            )
            for result in manifest.results
            if names is None or result.name in names
        )

    def cancel(self, job: JobDocument | str) -> JobDocument:
        """Cancel a job; a running one is then `canceling`. Raises Refused or Unreachable."""
        try:
            return read(JobDocument, self._connection.ask(Call("POST", f"{path_of(job)}/cancel")))
        except Conflict as error:
            seen = self.job(job) if error.after_loss else None
            if seen is None or seen.state not in _STOPPED:
                raise
            return seen  # the first sending did it, and its answer was lost

    def retry(self, job: JobDocument | str) -> JobDocument:
        """Have a job that has failed or was canceled queued again. Raises Refused or Unreachable."""
        try:
            return read(JobDocument, self._connection.ask(Call("POST", f"{path_of(job)}/retry")))
        except Conflict as error:
            seen = self.job(job) if error.after_loss else None
            if seen is None or seen.state in _MAY_BE_RETRIED:
                raise
            return seen  # the first sending did it, and its answer was lost

    def delete(self, job: JobDocument | str) -> None:
        """Forget a job, its input and its results. Raises Refused or Unreachable."""
        try:
            self._connection.ask(Call("DELETE", path_of(job)))
        except NotFound as error:
            if not error.after_loss:
                raise

    def models(self) -> tuple[ModelDocument, ...]:
        """The models that are installed. Raises Refused or Unreachable."""
        return self._get(ModelListDocument, "/v1/models").models

    def queue(self) -> QueueDocument:
        """The queue and the workers. Raises Refused or Unreachable."""
        return self._get(QueueDocument, "/v1/queue")

    def _pages(self, query: Mapping[str, str | builtins.list[str]]) -> Iterator[JobDocument]:
        """The jobs of one page after the other."""
        while True:
            page = read(JobPageDocument, self._connection.ask(Call("GET", JOBS, query=query)))
            yield from page.jobs
            if page.next_cursor is None:
                return
            query = {**query, "cursor": page.next_cursor}

    def _submit(
        self,
        kind: type[D],
        path: str,
        body: Body,
        idempotency_key: str | None,
        *,
        answer_s: float | None = None,
    ) -> D:
        call = Call(
            "POST",
            path,
            headers={"Idempotency-Key": read_idempotency_key(idempotency_key)},
            body=body,
            answer_s=answer_s,
            may_repeat=lambda: self._knows_idempotency_keys(path),
        )
        return read(kind, self._connection.ask(call))

    def _get(self, kind: type[D], path: str) -> D:
        return read(kind, self._connection.ask(Call("GET", path)))

    def _news(self, job: JobDocument, wait_s: float, *, of_all: bool) -> JobDocument:
        """The job when it is finished, or, of all news, when anything has changed; or after the time."""
        queued = of_all and job.state == "queued"
        query: dict[str, str | builtins.list[str]] = {
            "wait": f"{min(wait_s, _LOOK_AT_THE_QUEUE_S) if queued else wait_s:g}"
        }
        headers = {"If-None-Match": f'"{job.revision}"'} if of_all else {}
        answer = self._connection.ask(Call("GET", path_of(job), query=query, headers=headers))
        if answer.status_code != _NOT_MODIFIED:
            return read(JobDocument, answer)
        return self.job(job) if queued else job

    def _knows_idempotency_keys(self, path: str) -> bool:
        """Whether the API says of itself that a submission may be sent twice with the same key."""
        try:
            contract: Any = json.loads(self._connection.ask(Call("GET", "/openapi.json")).content)
            known = contract["paths"][path]["post"]["parameters"]
            return any(each["name"].lower() == "idempotency-key" for each in known)
        except (ClientError, ValueError, LookupError, TypeError, AttributeError):
            return False


def _both(first: OnProgress, second: OnProgress | None) -> OnProgress:
    def tell(job: JobDocument) -> None:
        first(job)
        if second is not None:
            second(job)

    return tell


def _in_utc(name: str, at: datetime | None) -> str | None:
    """A time as a query spells it. Raises ClientError."""
    if at is None:
        return None
    if not isinstance(at, datetime):
        raise ClientError(f"expected a datetime as {name}, got {type(at).__name__}")
    try:
        return at.astimezone(UTC).isoformat()
    except (OverflowError, ValueError, OSError):  # the first and the last day that there are, in some zones
        raise ClientError(f"expected a datetime as {name} that there is in UTC, got {at}") from None
