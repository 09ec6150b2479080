"""The states of a job, and which of them may follow which."""

from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime

from disyre.frozen import Frozen


class JobState(StrEnum):
    """Where a job is. One l, as in DICOM's UPS `CANCELED`."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_finished(self) -> bool:
        """Whether no worker will touch the job again."""
        return self in _FINISHED


_FINISHED = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED}
NEXT: Final[dict[JobState, frozenset[JobState]]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELED}),
    # A job whose worker died goes back to the queue.
    JobState.RUNNING: frozenset({JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELING}),
    # The last step may fail before the wish to cancel is seen.
    JobState.CANCELING: frozenset({JobState.CANCELED, JobState.FAILED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELED: frozenset(),
}
"""Which states may follow a state."""
MAY_BE_RETRIED: Final = (JobState.FAILED, JobState.CANCELED)
"""By whoever wants the job. Not in the table, so that a worker that comes late is refused all the same."""


class Transition(Frozen):
    """A state that the job entered."""

    state: JobState
    """Which."""
    at: AwareDatetime
    """When, by the broker's clock."""
