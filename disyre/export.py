"""The sending of a job's results to an archive: how far it is, and what the archive said of each instance."""

from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime

from disyre.frozen import Frozen


class ExportState(StrEnum):
    """How far an export is."""

    WAITING = "waiting"
    """It is not sent yet, or not all of it; it will be tried, or tried again."""
    STORED = "stored"
    """The archive has all of it."""
    FAILED = "failed"
    """The archive does not have all of it, and nobody tries any more."""


class SentInstance(Frozen):
    """A DICOM instance that was sent, and what was said of it."""

    sop_class_uid: str
    """Its SOP Class UID: what kind of result it is."""
    sop_instance_uid: str
    """Its SOP Instance UID; the same however often it is sent."""
    stored: bool
    """Whether the archive has it."""
    reason: str | None = None
    """Why it does not: the archive's Failure Reason (0008,1197), as four hexadecimal digits."""


class Export(Frozen):
    """The sending of a job's results to an archive."""

    server: str
    """Name of the archive, as the operator's file of servers has it."""
    state: ExportState = ExportState.WAITING
    """How far it is."""
    requested_at: AwareDatetime
    """When it was asked for."""
    finished_at: AwareDatetime | None = None
    """When it ended; null before."""
    n_tries: int = 0
    """How often it was tried."""
    detail: str | None = None
    """What went wrong last, in words; null if nothing did."""
    instances: tuple[SentInstance, ...] = ()
    """Those of which the archive has said something."""

    def tried(self, instances: tuple[SentInstance, ...], detail: str | None = None) -> Self:
        """It was tried once more, and the archive has said this; `detail` says what went wrong."""
        changes = {"n_tries": self.n_tries + 1, "instances": instances, "detail": detail}
        return self.model_copy(update=changes)

    def ended(self, state: ExportState, at: AwareDatetime) -> Self:
        """It will not be tried again."""
        return self.model_copy(update={"state": state, "finished_at": at})
