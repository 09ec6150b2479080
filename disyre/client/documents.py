"""The JSON documents of the API, as a client reads them.

A service that is newer than the client may say more: fields that are not known here are kept, in
`model_extra` and in what `model_dump` gives, and values that are names, such as states, are plain text.
"""

from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

_FINISHED: Final = frozenset({"succeeded", "failed", "canceled"})


class Document(BaseModel):
    """What all documents have in common."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


class ModelRefDocument(Document):
    """The model that scores a job's scan."""

    name: str
    version: str
    sha256: str | None = None
    provider: str | None = None
    """What ran it; None before the end."""


class ModalityDocument(Document):
    """What a scan was taken for."""

    name: str | None = None
    source: str | None = None
    reason: str | None = None


class InputDocument(Document):
    """What was uploaded."""

    format: str | None = None
    n_files: int | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    """Of the file; of several files, of their sorted hashes, a line each."""
    has_mask: bool | None = None
    shape: tuple[int, ...] | None = None
    """Voxels of the scan."""
    spacing_mm: tuple[float, ...] | None = None
    orientation: str | None = None
    """Where each axis of the scan leads, such as LPS: left, back, head."""
    warnings: tuple[str, ...] = ()
    """What is odd about the scan."""


class ProgressDocument(Document):
    """How far a job is."""

    stage: str
    step: int | None = None
    steps: int | None = None
    fraction: float = 0.0
    """Of the whole job, 0 to 1."""
    eta_s: float | None = None


class TransitionDocument(Document):
    """A state that a job entered."""

    state: str
    at: AwareDatetime


class CandidateDocument(Document):
    """A volume that was found in an upload."""

    series_uid: str | None = None
    description: str = ""
    n: int | None = None
    shape: tuple[int, ...] | None = None
    """Voxels."""
    spacing_mm: tuple[float, ...] | None = None
    orientation: str | None = None
    code: str | None = None
    """Why it cannot be scored; None if it can."""
    reason: str | None = None
    modality: ModalityDocument | None = None
    model: str | None = None
    """Which model would score it, as `name/version`; None if none would, or if the image is to decide."""


class ProblemDocument(Document):
    """An error (RFC 9457): `code` is for programs, `detail` for people."""

    status: int
    code: str
    title: str = ""
    detail: str = ""
    type: str = "about:blank"
    instance: str | None = None
    job_id: str | None = None
    errors: tuple[dict[str, Any], ...] | None = None
    """Fields of the request that are wrong, each with what is wrong."""
    candidates: tuple[CandidateDocument, ...] | None = None
    """The volumes that were found, where one was wanted."""


class LinksDocument(Document):
    """Where to go on, as paths of the API."""

    self: str
    events: str | None = None
    results: str | None = None
    cancel: str | None = None
    retry: str | None = None


class JobDocument(Document):
    """A job."""

    id: str
    state: str
    revision: int = 0
    created_at: AwareDatetime | None = None
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    """When it and its files are removed; None before the end, or if they stay."""
    model: ModelRefDocument | None = None
    modality: ModalityDocument | None = None
    input: InputDocument | None = None
    params: dict[str, Any] = {}
    attempt: int = 0
    queue_position: int | None = None
    """1 for the job that is next; None for one that does not wait."""
    eta_start_s: float | None = None
    progress: ProgressDocument | None = None
    history: tuple[TransitionDocument, ...] = ()
    summary: dict[str, Any] | None = None
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


class JobPageDocument(Document):
    """Some jobs, the newest first."""

    jobs: tuple[JobDocument, ...]
    next_cursor: str | None = None


class ResultDocument(Document):
    """A file that a job gave."""

    name: str
    size_bytes: int
    sha256: str
    kind: str = ""
    media_type: str = ""
    href: str = ""


class ResultsDocument(Document):
    """All files that a job gave."""

    job_id: str
    results: tuple[ResultDocument, ...]
    model: ModelRefDocument | None = None


class InspectionDocument(Document):
    """What an upload holds."""

    volumes: tuple[CandidateDocument, ...]
    warnings: tuple[str, ...] = ()


class ModelDocument(Document):
    """A model package that is installed; `model_extra` has its grid, calibration and metrics."""

    name: str
    version: str
    modality: str | None = None
    sha256: str | None = None
    created_at: AwareDatetime | None = None
    licence: str = ""
    href: str = ""
    intended_use: str = ""


class LeftOutDocument(Document):
    """A model package that is there, and not offered."""

    name: str
    version: str
    code: str = ""


class ModelListDocument(Document):
    """Model packages."""

    models: tuple[ModelDocument, ...]
    left_out: tuple[LeftOutDocument, ...] = ()


class HeldModelDocument(Document):
    """A version of a model that a worker takes jobs for."""

    name: str
    version: str
    sha256: str = ""


class WorkerDocument(Document):
    """A worker that is alive."""

    id: str
    provider: str | None = None
    models: tuple[str, ...] = ()
    """What it holds in memory, as `name/version`."""
    holds: tuple[HeldModelDocument, ...] | None = None
    """What it takes jobs for."""
    left_out: tuple[str, ...] = ()
    """Packages that it would hold if they were whole, as `name/version`."""
    busy_with: str | None = None


class QueueDocument(Document):
    """The queue, and who works on it."""

    depth: int
    """Jobs that wait."""
    running: int = 0
    eta_s: float | None = None
    """Estimated time until a job that is submitted now begins."""
    workers: tuple[WorkerDocument, ...] = ()
