"""What is told of a job each time that it has changed."""

from typing import Literal, Self

from disyre.frozen import Frozen
from disyre.job import Job
from disyre.job_state import JobState
from disyre.progress import Progress


class JobEvent(Frozen):
    """A job after one change."""

    job_id: str
    kind: Literal["state", "progress"]
    """`progress` if nothing but the progress has changed."""
    revision: int
    """Of the job; grows from event to event."""
    state: JobState
    attempt: int
    progress: Progress | None

    @classmethod
    def of(cls, job: Job, *, before: Job | None = None) -> Self:
        """The event of a job that was another one `before`, or of a job as it is."""
        is_progress = before is not None and before == job.model_copy(
            update={"progress": before.progress, "revision": before.revision}
        )
        return cls(
            job_id=job.id,
            kind="progress" if is_progress else "state",
            revision=job.revision,
            state=job.state,
            attempt=job.attempt,
            progress=job.progress,
        )
