"""The JSON documents about archives, as a client reads them."""

from pydantic import AwareDatetime

from disyre.client.documents import Document


class SentInstanceDocument(Document):
    """A DICOM instance that was sent to an archive."""

    sop_class_uid: str
    sop_instance_uid: str
    stored: bool
    """Whether the archive has it."""
    reason: str | None = None
    """Why it does not: its Failure Reason (0008,1197), as four hexadecimal digits."""


class ExportDocument(Document):
    """The sending of a job's results to an archive."""

    server: str
    state: str
    """`waiting`, until it is `stored` or `failed`."""
    requested_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    n_tries: int = 0
    detail: str | None = None
    """What went wrong last, in words."""
    instances: tuple[SentInstanceDocument, ...] = ()


class ExportsDocument(Document):
    """All archives that the results of a job were to be sent to."""

    job_id: str | None = None
    exports: tuple[ExportDocument, ...] = ()
    intended_use: str | None = None


class HeldSeriesDocument(Document):
    """A series that came by STOW-RS."""

    study_uid: str | None = None
    series_uid: str | None = None
    owner: str | None = None
    """The name of the key that it was sent with."""
    n_images: int = 0
    last_image_at: AwareDatetime | None = None
    state: str
    """`waiting` until it is quiet; then `submitted`, as a job, or `rejected`."""
    job_id: str | None = None
    job: str | None = None
    """Where the job is, as a path."""
    rule: str | None = None
    """The name of the rule that took it."""
    code: str | None = None
    """Why it was rejected, for programs."""
    reasons: tuple[str, ...] = ()
    """Why it was rejected, in words."""


class HeldSeriesListDocument(Document):
    """Series that came by STOW-RS."""

    series: tuple[HeldSeriesDocument, ...] = ()
    intended_use: str | None = None
