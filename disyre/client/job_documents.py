"""The JSON documents about jobs, as a client reads them: what was asked, how far it is, what was found."""

from typing import Final

from pydantic import AwareDatetime, Field

from disyre.client.documents import (
    CandidateDocument,
    Document,
    InputDocument,
    ModalityDocument,
    ModelRefDocument,
    ProblemDocument,
    ProgressDocument,
    TransitionDocument,
)

_FINISHED: Final = frozenset({"succeeded", "failed", "canceled"})


class TraceDocument(Document):
    """Ids of the request that made a job."""

    request_id: str
    """The client's own `X-Request-ID`, or one that was made for it."""
    traceparent: str | None = None


class LinksDocument(Document):
    """Where to go on, as paths of the API."""

    self: str
    events: str | None = None
    results: str | None = None
    cancel: str | None = None
    retry: str | None = None


class ParamsDocument(Document):
    """The options that a job was submitted with; None leaves a choice to model or scan."""

    model: str | None = None
    version: str | None = None
    modality: str | None = None
    mode: str | None = None
    severities: tuple[float, ...] | None = None
    preset: str | None = None
    bias_correction: bool | None = None
    align: bool | None = None
    threshold: float | None = None
    outputs: tuple[str, ...] | None = None
    series_uid: str | None = None
    volume_index: int | None = None
    priority: str = "normal"
    retention_s: int | None = None
    callback: str | None = None
    export: str | None = None
    labels: dict[str, str] = Field(default={})


class RegionDocument(Document):
    """A connected region of the brain in which the map is above the threshold."""

    volume_ml: float
    peak: float | None = None
    mean: float | None = None
    peak_position_mm: tuple[float, ...] | None = None
    """World, RAS+."""
    centroid_mm: tuple[float, ...] | None = None
    """World, RAS+."""


class SummaryDocument(Document):
    """What was found in a scan; `summary.json`, among the results, says more."""

    anomaly_score: float
    """Mean of the map over the hundredth of the brain where it is highest."""
    max: float | None = None
    """Of the map over the brain."""
    p99: float | None = None
    """Percentile of the map over the brain."""
    threshold: float | None = None
    volume_above_threshold_ml: float | None = None
    n_regions: int | None = None
    """All that are large enough to count."""
    regions: tuple[RegionDocument, ...] = ()
    """The largest first; at most five."""
    warnings: tuple[str, ...] = ()


class JobDocument(Document):
    """A job."""

    id: str
    state: str
    revision: int = 0
    owner: str = ""
    """The name of the key that it was sent with."""
    trace: TraceDocument | None = None
    created_at: AwareDatetime | None = None
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    """When it and its files are removed; None before the end, or if they stay."""
    model: ModelRefDocument | None = None
    modality: ModalityDocument | None = None
    input: InputDocument | None = None
    supersedes: str | None = None
    """The newest earlier job of the same owner, study and series with other images; None if there is none."""
    params: ParamsDocument = ParamsDocument()
    attempt: int = 0
    queue_position: int | None = None
    """1 for the job that is next; None for one that does not wait."""
    eta_start_s: float | None = None
    progress: ProgressDocument | None = None
    history: tuple[TransitionDocument, ...] = ()
    summary: SummaryDocument | None = None
    """What was found; None unless it has succeeded."""
    error: ProblemDocument | None = None
    links: LinksDocument | None = None
    intended_use: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to the job; also if it ended in a state that is not known here."""
        return self.finished_at is not None or self.state in _FINISHED

    @property
    def has_succeeded(self) -> bool:
        """Whether there are results."""
        return self.state == "succeeded"


class EventDocument(Document):
    """A job after a change."""

    job_id: str
    revision: int
    """Of the job; grows with every change."""
    state: str
    attempt: int = 0
    progress: ProgressDocument | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it is the last one."""
        return self.state in _FINISHED


class StudyDocument(Document):
    """What became of a study."""

    jobs: tuple[JobDocument, ...]
    """One for each series that can be scored."""
    left_out: tuple[CandidateDocument, ...] = ()
    """The other series, each with a code and a reason."""
    warnings: tuple[str, ...] = ()
    intended_use: str = ""


class JobPageDocument(Document):
    """Some jobs, the newest first."""

    jobs: tuple[JobDocument, ...]
    next_cursor: str | None = None
    intended_use: str = ""
