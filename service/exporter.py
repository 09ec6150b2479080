"""Sends results to archives; again and again, until they have them, or for a day."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zipfile import BadZipFile

from pydicom.errors import InvalidDicomError

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.exports import Exports
from disyre.adapters.job_store import JobStore
from disyre.errors import DisyreError, JobNotFound, Unavailable
from disyre.export import Export, ExportState, SentInstance
from disyre.job import Job
from disyre.job_state import JobState
from service.dicom_instances import DicomInstance, dicom_of, instances_in
from service.pacs import Servers
from service.postman import RETRY_AFTER_S
from service.stow import PacsAway, PacsRefused, batches, store

logger = logging.getLogger(__name__)

_LEASE_S: Final = 180.0
"""A process that died while it sent stands in the way of the others for so long."""
_MOST_AT_ONCE: Final = 50


@dataclass(frozen=True)
class Exporter:
    """Sends what is due. Several processes may have one: an export is taken by one of them.

    What was sent is sent again if a process dies in the midst of it: the instances have the same UIDs, so
    the archive has them once.
    """

    jobs: JobStore
    exports: Exports
    artifacts: ArtifactStore
    servers: Servers
    retry_after_s: tuple[float, ...] = RETRY_AFTER_S

    def deliver(self) -> None:
        """Send what is due now. Raises Unavailable."""
        for _ in range(_MOST_AT_ONCE):
            due = self.exports.take(lease_s=_LEASE_S)
            if due is None:
                return
            self._deliver(*due)

    def _deliver(self, job_id: str, server: str, n_taken: int) -> None:
        try:
            job = self.jobs.get(job_id)
        except JobNotFound:
            self.exports.drop(job_id, server)
            return
        export = self._export(job, server)
        sent: list[SentInstance] = []
        try:
            for outcome in self._send(job, server):
                sent += outcome
        except PacsAway as error:
            self._put_off(job, export.tried(tuple(sent), str(error)), n_taken)
        except PacsRefused as error:
            self._end(job, export.tried(tuple(sent), str(error)), ExportState.FAILED)
        else:
            n_refused = sum(not each.stored for each in sent)
            detail = f"the archive did not take {n_refused} of {len(sent)} instances" if n_refused else None
            state = ExportState.FAILED if n_refused else ExportState.STORED
            self._end(job, export.tried(tuple(sent), detail), state)

    def _export(self, job: Job, server: str) -> Export:
        """What is known of an export that is due; nothing yet of one that the end of a job asked for."""
        for export in self.exports.list(job.id):
            if export.server == server:
                return export
        return Export(server=server, requested_at=job.finished_at or job.created_at)

    def _send(self, job: Job, name: str) -> Iterator[tuple[SentInstance, ...]]:
        """Send all, and give what became of it, request by request. Raises PacsAway or PacsRefused."""
        server = self.servers.get(name)
        if server is None:
            raise PacsRefused("there is no archive of this name any more")
        with server.client() as client:
            for batch in batches(self._instances(job)):
                yield store(client, server, batch)
                self.exports.keep(job.id, name, lease_s=_LEASE_S)

    def _instances(self, job: Job) -> Iterator[DicomInstance]:
        found = dicom_of(job.artifacts)
        if not found:
            raise PacsRefused("the job has no results as DICOM")
        for artifact in found:
            try:
                path = self.artifacts.result_file(job.id, job.attempt, artifact.name)
            except Unavailable as error:
                raise PacsAway("the results cannot be read now") from error
            except DisyreError as error:
                raise PacsRefused("the results are not there") from error
            try:
                yield from instances_in(path)
            except (OSError, ValueError, AttributeError, BadZipFile, InvalidDicomError) as error:
                raise PacsRefused("the results cannot be read") from error

    def _put_off(self, job: Job, export: Export, n_taken: int) -> None:
        if n_taken > len(self.retry_after_s):
            self._end(job, export, ExportState.FAILED)
            return
        logger.info("job %s: export to %s is put off: %s", job.id, export.server, export.detail)
        self.exports.note(job.id, export, again_after_s=self.retry_after_s[n_taken - 1])

    def _end(self, job: Job, export: Export, state: ExportState) -> None:
        self.exports.note(job.id, export.ended(state, self.jobs.now()))
        if state is ExportState.FAILED:
            logger.warning("job %s: export to %s failed: %s", job.id, export.server, export.detail)
        else:
            logger.info("job %s: export to %s: %d instances", job.id, export.server, len(export.instances))


def asked_at_the_end(job: Job) -> Export | None:
    """The export that the end of a job has asked for; None if it has not."""
    if job.params.export is None or job.state is not JobState.SUCCEEDED:
        return None
    return Export(server=job.params.export, requested_at=job.finished_at or job.created_at)
