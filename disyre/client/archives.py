"""The calls about archives: what is sent to them, and what came from them."""

from disyre.client.archive_documents import (
    ExportDocument,
    ExportsDocument,
    HeldSeriesDocument,
    HeldSeriesListDocument,
)
from disyre.client.bodies import JsonBody
from disyre.client.connection import Call, Connection, read
from disyre.client.job_documents import JobDocument
from disyre.client.paths import path_of


class Archives:
    """Talks to one API about archives, as `client.archives`."""

    def __init__(self, connection: Connection) -> None:
        """The connection is the client's."""
        self._connection = connection

    def export(self, job: JobDocument | str, server: str) -> ExportDocument:
        """Have the DICOM results of a job sent to an archive, by the name that the operator has given it.

        The answer does not wait for the archive; asked again, nothing changes. Raises Refused or Unreachable.
        """
        call = Call("POST", f"{path_of(job)}/exports", body=JsonBody({"server": server}))
        return read(ExportDocument, self._connection.ask(call))

    def exports(self, job: JobDocument | str) -> tuple[ExportDocument, ...]:
        """The archives that a job's results were to be sent to. Raises Refused or Unreachable."""
        answer = self._connection.ask(Call("GET", f"{path_of(job)}/exports"))
        return read(ExportsDocument, answer).exports

    def series(
        self, *, study_uid: str | None = None, series_uid: str | None = None, limit: int = 200
    ) -> tuple[HeldSeriesDocument, ...]:
        """The series that came by STOW-RS and are held, the latest first. Raises Refused or Unreachable."""
        wanted = {"study_uid": study_uid, "series_uid": series_uid, "limit": str(limit)}
        query = {name: value for name, value in wanted.items() if value is not None}
        answer = self._connection.ask(Call("GET", "/v1/series", query=query))
        return read(HeldSeriesListDocument, answer).series
