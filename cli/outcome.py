"""What became of a scan that was to be sent to an API."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.file_words import told
from cli.scans import Scan
from disyre.client import (
    CandidateDocument,
    ConnectionLost,
    FileChanged,
    JobDocument,
    NothingToSend,
    ProblemDocument,
    Refused,
    Unreachable,
)

_NOTHING_ARRIVED: Final = (Unreachable, NothingToSend, FileChanged, OSError)
"""What keeps a scan from being sent whole."""


@dataclass
class Outcome:
    """What became of a scan."""

    scan: Scan
    folder: Path
    """Of its results."""
    job: JobDocument | None = None
    """As it was seen last; None if there is none."""
    error: Exception | None = None
    """Why there is no job, or no more news of it, or no results."""
    is_fetched: bool = False
    is_told: bool = False
    """Whether its line was printed."""
    series: CandidateDocument | None = None
    """Of a study that was sent series by series, which one it is, if it was left out."""

    @property
    def name(self) -> str:
        """What it is called for people: the path, and which series of what is there."""
        uid = self.series_uid
        return f"{self.scan.name}#{uid}" if uid and self.scan.source is None else self.scan.name

    @property
    def series_uid(self) -> str | None:
        """Which of several series it is; None if that was not asked."""
        if self.series is not None:
            return self.series.series_uid
        return self.job.params.series_uid if self.job is not None else None

    @property
    def is_left(self) -> bool:
        """Whether there is a job that goes on, as far as is known, or has results that are not here."""
        job = self.job
        return job is not None and not self.is_fetched and (job.has_succeeded or not job.is_finished)

    @property
    def state(self) -> str:
        """Of the job, or why there is none."""
        if self.job is not None:
            return self.job.state
        if self.series is not None:
            return "left out"
        if isinstance(self.error, ConnectionLost):
            return "unknown"
        return "not sent" if isinstance(self.error, _NOTHING_ARRIVED) else "refused"

    @property
    def score(self) -> float | None:
        """The anomaly score, of a job that succeeded."""
        summary = self.job.summary if self.job else None
        return summary.anomaly_score if summary else None

    @property
    def problem(self) -> ProblemDocument | None:
        """Why it was refused, or failed, if the API says so."""
        if isinstance(self.error, Refused):
            return self.error.problem
        return self.job.error if self.job else None

    @property
    def candidates(self) -> tuple[CandidateDocument, ...]:
        """What there was to choose from, if that is why."""
        return tuple((self.problem.candidates if self.problem else None) or ())

    @property
    def reason(self) -> str:
        """The same in words; nothing if all went well."""
        if self.series is not None:
            return self.series.reason or ""
        if self.error is not None:
            return _in_words(self.error, self.scan)
        return f"{self.problem.code}: {self.problem.detail}" if self.problem else ""


def _in_words(error: Exception, scan: Scan) -> str:
    if not isinstance(error, OSError):
        return str(error)
    other = error.filename is not None and Path(error.filename) != scan.path
    return told(error, name=str(error.filename) if other else "")
