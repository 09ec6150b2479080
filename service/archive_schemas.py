"""The JSON that clients see of archives: what was sent to them, and what came from them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Self

from disyre import INTENDED_USE
from disyre.export import Export, ExportState, SentInstance
from service.held_series import SeriesRecord, SeriesState
from service.schemas import JOBS_PATH
from service.view import View


class ExportView(View):
    """The sending of a job's results to an archive."""

    server: str
    """Name of the archive."""
    state: ExportState
    """`waiting` until the archive has all, or nobody tries any more."""
    requested_at: datetime
    """When it was asked for."""
    finished_at: datetime | None
    """When it ended; null before."""
    n_tries: int
    """How often it was tried."""
    detail: str | None
    """What went wrong last, in words; null if nothing did."""
    instances: tuple[SentInstance, ...]
    """Those of which the archive has said something, at the last try."""

    @classmethod
    def of(cls, export: Export) -> Self:
        """View of an export."""
        return cls.model_validate(export.model_dump())


class ExportsView(View):
    """All archives that the results of a job were to be sent to."""

    job_id: str
    """Of the job."""
    exports: list[ExportView]
    """One for each archive."""
    intended_use: str = INTENDED_USE
    """What the service is for, and what it is not for."""

    @classmethod
    def of(cls, job_id: str, exports: Iterable[Export]) -> Self:
        """View of the exports of a job."""
        return cls(job_id=job_id, exports=[ExportView.of(export) for export in exports])


class SeriesView(View):
    """A series that came by STOW-RS."""

    study_uid: str | None
    """Its StudyInstanceUID."""
    series_uid: str | None
    """Its SeriesInstanceUID."""
    owner: str
    """The name of the key that it was sent with."""
    n_images: int
    """That are held."""
    last_image_at: datetime
    """When the last one came."""
    state: SeriesState
    """`waiting` until it is quiet and was judged; then `submitted`, as a job, or `rejected`, with reasons."""
    job_id: str | None
    """Its job; null unless it is submitted, or was before more of it came."""
    job: str | None
    """Where the job is, as a path below the root of the API."""
    rule: str | None
    """The name of the rule that took it."""
    code: str | None
    """Why it was rejected, for programs: `not-eligible` if no rule takes it, else as of a submission."""
    reasons: tuple[str, ...]
    """Why it was rejected, in words; of each rule all that it expected in vain."""

    @classmethod
    def of(cls, record: SeriesRecord, n_images: int, last_ns: int) -> Self:
        """View of a series of which so many images are held."""
        has_news = record.judged_ns != last_ns
        return cls(
            study_uid=record.study_uid,
            series_uid=record.series_uid,
            owner=record.owner,
            n_images=n_images,
            last_image_at=datetime.fromtimestamp(last_ns / 1e9, UTC),
            state=SeriesState.WAITING if has_news else record.state,
            job_id=record.job_id,
            job=f"{JOBS_PATH}/{record.job_id}" if record.job_id else None,
            rule=record.rule,
            code=None if has_news else record.code,
            reasons=() if has_news else record.reasons,
        )


class SeriesPage(View):
    """Series that came by STOW-RS."""

    series: list[SeriesView]
    """The latest first."""
    intended_use: str = INTENDED_USE
    """What the service is for, and what it is not for."""
