"""The JSON documents of the API, as a client reads them.

A service that is newer than the client may say more: fields that are not known here are kept, in
`model_extra` and in what `model_dump` gives, and values that are names, such as states, are plain text.
"""

from pydantic import AwareDatetime, BaseModel, ConfigDict


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
    likely: str | None = None
    """What it looks most like, where that is too uncertain to be the name."""


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


class FieldErrorDocument(Document):
    """One thing that is wrong with a request."""

    field: str
    """Which: where it is (query, header, path), and its name."""
    detail: str = ""
    """What was expected, and what came, in words."""


class ProblemDocument(Document):
    """An error (RFC 9457): `code` is for programs, `detail` for people."""

    status: int
    code: str
    title: str = ""
    detail: str = ""
    type: str = "about:blank"
    instance: str | None = None
    job_id: str | None = None
    errors: tuple[FieldErrorDocument, ...] | None = None
    """Fields of the request that are wrong, each with what is wrong."""
    candidates: tuple[CandidateDocument, ...] | None = None
    """The volumes that were found, where one was wanted."""


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
    intended_use: str = ""


class InspectionDocument(Document):
    """What an upload holds."""

    volumes: tuple[CandidateDocument, ...]
    warnings: tuple[str, ...] = ()
    intended_use: str = ""
