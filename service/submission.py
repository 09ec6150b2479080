"""From an upload to a job in the queue: the checks that need no look at a voxel, and the steps in order."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.job_store import JobStore
from disyre.adapters.owner_index import OwnerIndex
from disyre.adapters.task_queue import TaskQueue
from disyre.errors import (
    InvalidInput,
    JobExpired,
    JobNotFound,
    NothingToScore,
    NoWorker,
    Unavailable,
    Undecided,
)
from disyre.intake.inspection import check_scan, survey
from disyre.intake.upload import Upload
from disyre.job import LOCAL_OWNER, Job
from disyre.job_id import new_job_id
from disyre.job_input import InputFile, JobInput
from disyre.job_model import JobModel
from disyre.job_options import read_options
from disyre.job_params import JobParams
from disyre.modality import SILENT, Guess
from disyre.model_choice import choose_fitting, taken_for
from disyre.queue_limits import QueueLimits
from disyre.receipt import Receipt
from disyre.scan_facts import ScanFacts
from disyre.series_mark import SeriesMark
from disyre.trace import Trace
from disyre.upload_parts import WHOLE, Parts
from service.candidates import judged, with_judged
from service.given_options import parse_params
from service.lifetimes import Lifetimes
from service.once import HEADER, Outcome, Ticket, fingerprint_of
from service.option_checks import OptionChecks
from service.study import OF_A_STUDY, Study, check_files, facts_of, no_series, warnings_of
from service.withdrawals import Withdrawals

logger = logging.getLogger(__name__)

_APART: Final = timedelta(microseconds=1)
"""Between the jobs of a study, so that their ids tell their order."""
_MOST_EARLIER: Final = 100
"""So many earlier jobs of a series are looked at, to find one with other images."""


@dataclass(frozen=True)
class Submission:
    """Makes jobs of uploads, and gives them to the queue."""

    jobs: JobStore
    queue: TaskQueue
    artifacts: ArtifactStore
    checks: OptionChecks
    withdrawals: Withdrawals
    max_voxels: int
    limits: QueueLimits
    owners: OwnerIndex
    lifetimes: Lifetimes
    export_to: str | None = None
    """Which archive gets the results of a job of DICOM that names none."""
    owner: str = LOCAL_OWNER
    """Whose the jobs will be."""
    trace: Trace | None = None
    """Ids of the request that makes them."""
    workitem_uid: str | None = None
    """By what whoever asks for them by UPS-RS knows them."""

    def check_room(self, n_jobs: int) -> None:
        """Raise QueueFull if so many more jobs may not wait now; when they are added, it is asked again."""
        self.limits.check(self.jobs.n_waiting() + n_jobs, self.jobs.n_voxels(), 1)

    def submit(
        self,
        upload: Upload,
        folder: Path,
        options: Mapping[str, Any],
        ticket: Ticket | None = None,
        *,
        fingerprint: str | None = None,
    ) -> Job:
        """Check an upload, make it a job, and enqueue that; or find the job that it made before.

        `fingerprint` is what tells the submission from others; without one, its files and options do.
        Raises InvalidInput, or Unavailable; then there is no job, and nothing of it in the artifact store.
        """
        given = {**options, **parse_params(upload.params)}
        if fingerprint is None:
            fingerprint = fingerprint_of("job", upload, read_options(given))
        if ticket is not None and ticket.earlier is not None:
            return self.made_before(ticket.earlier, fingerprint).jobs[0]
        params = self.checks.of_a_job(given)
        facts: list[ScanFacts] = []
        marks: dict[str, SeriesMark] = {}
        try:
            header = check_scan(
                upload,
                folder,
                params,
                max_voxels=self.max_voxels,
                on_facts=facts.append,
                on_series=marks.__setitem__,
            )
        except InvalidInput as error:
            raise with_judged(error, self.checks.models, params) from error
        series = next(iter(marks.values()), None)
        job = self._job(upload, params, header, self.jobs.now(), facts[0], series)
        self._accept([job], folder, ticket.receipt(fingerprint, [job]) if ticket is not None else None)
        return job

    def submit_study(
        self, upload: Upload, folder: Path, options: Mapping[str, Any], ticket: Ticket | None = None
    ) -> Study:
        """Make a job of each series of a study that can be scored, and enqueue them; or find those of before.

        Each has those files alone that it needs. Raises InvalidInput, TooLarge if they are very many in all,
        NothingToScore with all series if there is none that can be scored, or Unavailable; then
        there is no job, and nothing of any in the artifact store.
        """
        given = {**options, **parse_params(upload.params)}
        fingerprint = fingerprint_of("study", upload, read_options(given, known=OF_A_STUDY))
        if ticket is not None and ticket.earlier is not None:
            return self.made_before(ticket.earlier, fingerprint)
        params = self.checks.of_a_study(given)
        marks: dict[str, SeriesMark] = {}
        try:
            found = survey(upload, folder, max_voxels=self.max_voxels, on_series=marks.__setitem__)
        except InvalidInput as error:
            raise with_judged(error, self.checks.models, params) from error
        series = judged(found.volumes, self.checks.models, params)
        for each in series:
            if each.code == NoWorker.code:  # it would be missing from the study for good
                raise NoWorker(str(each.reason))
        chosen = [each for each in series if each.code is None]
        if not chosen:
            raise NothingToScore(no_series(series), series)
        self.check_room(len(chosen))
        files = [found.files.get(str(each.series_uid), upload.files) for each in chosen]
        check_files(files)
        now = self.jobs.now()
        jobs = [
            self._job(
                upload,
                params.model_copy(update={"series_uid": each.series_uid}),
                each.modality or SILENT,
                now + n * _APART,  # ids sort by time, so the jobs start in the order of the series
                facts_of(each, found.of_series.get(str(each.series_uid), ())),
                marks.get(str(each.series_uid)),
                files=files[n],
            )
            for n, each in enumerate(chosen)
        ]
        left_out = tuple(each for each in series if each.code is not None)
        study = Study(tuple(jobs), left_out, warnings_of(found, left_out))
        receipt = None
        if ticket is not None:
            receipt = ticket.receipt(fingerprint, jobs, left_out=study.left_out, warnings=study.warnings)
        only = {
            job.id: frozenset(file.name for file in job.input.files)
            for job in jobs
            if len(job.input.files) < len(upload.files)
        }
        self._accept(jobs, folder, receipt, only=only)
        return study

    def made_before(self, earlier: Outcome, fingerprint: str) -> Study:
        """What the same submission made, as it is now.

        Raises IdempotencyMismatch, JobNotFound or JobExpired.
        """
        earlier.check(fingerprint)
        jobs, gone = [], JobNotFound(_no_more("was deleted"))
        for job_id in earlier.job_ids:
            try:
                job = self.jobs.get(job_id)
                self.lifetimes.check(job)
                jobs.append(job)
            except JobExpired as error:
                gone = JobExpired(error.owner, _no_more("has expired"))
            except JobNotFound:
                continue
        if not jobs:
            raise gone
        return Study(tuple(jobs), earlier.left_out, earlier.warnings)

    def _job(
        self,
        upload: Upload,
        params: JobParams,
        header: Guess,
        now: datetime,
        scan: ScanFacts,
        series: SeriesMark | None,
        *,
        files: Sequence[InputFile] | None = None,
    ) -> Job:
        """A new job, with its model if that can be told by now; of some files of an upload, or of all."""
        modality = taken_for(params, header)
        package = choose_fitting(self.checks.models, params, modality)
        if params.export is None and series is not None:
            params = params.model_copy(update={"export": self.export_to})
        return Job.submit(
            new_job_id(now),
            model=JobModel.of(package.manifest) if package else None,
            modality=modality,
            input=JobInput(
                files=upload.files if files is None else tuple(files),
                mask=upload.mask,
                n_voxels=math.prod(scan.shape),
            ),
            scan=scan,
            series=series,
            supersedes=self._superseded_by(series) if series is not None else None,
            workitem_uid=self.workitem_uid,
            params=params,
            owner=self.owner,
            retention_s=params.retention_s or self.checks.retention_s or None,
            trace=self.trace,
            at=now,
        )

    def _superseded_by(self, series: SeriesMark) -> str | None:
        """The newest job of the owner of the same series with other images.

        One that another request adds in this moment may be missed.
        """
        for job_id in self.owners.list(self.owner, mark=series.id, limit=_MOST_EARLIER):
            try:
                job = self.jobs.get(job_id)
                self.lifetimes.check(job)
            except JobNotFound:
                continue
            if job.series is not None and job.series.content != series.content:
                return job_id
        return None

    def _accept(
        self, jobs: Sequence[Job], folder: Path, receipt: Receipt | None, *, only: Parts = WHOLE
    ) -> None:
        """Keep an upload, or `only` parts of it, as the input of some jobs, and send them: all, or none."""
        self.artifacts.accept(folder, *(job.id for job in jobs), only=only)
        self._add(jobs, receipt)
        for job in jobs:
            try:
                self.queue.enqueue(job)
            except Unavailable:
                logger.warning("job %s is stored, but not in the queue yet: the reaper will send it", job.id)

    def _add(self, jobs: Sequence[Job], receipt: Receipt | None) -> None:
        """Store jobs whose files are in place. Files of jobs that are not there are removed.

        Where nobody knows whether they are, they are withdrawn as soon as the broker answers: whoever sent
        them is told that there are none. Not if there is a receipt: whoever sends them again is told which
        they are, and must find them.
        """
        try:
            for job in jobs:
                self.owners.note(self.owner, job.id, marks=job.marks)
            self.jobs.add(
                *jobs,
                limits=self.limits,
                receipt=receipt,
            )
        except Undecided:
            if receipt is None:
                self.withdrawals.note(*(job.id for job in jobs))
            raise
        except Unavailable:
            for job in jobs:
                self.artifacts.remove(job.id)
            raise


def _no_more(what: str) -> str:
    """What is told where an idempotency key has made jobs, and none of them is there any more."""
    return (
        f"expected an {HEADER} whose job is still there, got one whose job {what}: "
        "to score the scan again, send it with another key"
    )
