"""What is counted of jobs: from how one changes, what is to be added to which count.

A store adds it in the step in which it stores the change, so each change is counted once, whichever program
made it, and a restart loses nothing. No count is of a single job, owner or series.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias, get_args

from disyre.job import WORKER_LOST, Job
from disyre.job_state import JobState
from disyre.progress import Stage

Counts: TypeAlias = Mapping[str, float]
"""By name: of a state `jobs STATE REASON`; of a histogram each bucket, `NAME BOUND`, and `NAME sum`."""

BEGUN_AT_S: Final = "begun_at_s"
"""Not a sum: when a job was begun last, in seconds since 1970."""
UPLOAD: Final = "upload"
WAIT: Final = "wait"
STAGE: Final = "stage"
INFINITE: Final = float("inf")
BUCKETS: Final[dict[str, tuple[float, ...]]] = {
    UPLOAD: (*(1024.0**2 * 4**power for power in range(6)), INFINITE),  # bytes
    WAIT: (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, INFINITE),  # seconds
    STAGE: (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, INFINITE),  # seconds
}
"""Upper bounds of what a histogram tells apart, the smallest first."""


def tally_of_new(jobs: Sequence[Job]) -> dict[str, float]:
    """What is counted of jobs that are added together, all made of one upload."""
    return {f"jobs {JobState.QUEUED} ": len(jobs), **_observed(UPLOAD, UPLOAD, jobs[0].input.size_bytes)}


def tally_of_change(before: Job, after: Job) -> dict[str, float]:
    """What is counted of a job that changed: states that it entered, and how long it waited and took."""
    tally: dict[str, float] = {}
    for last, entered in pairwise(after.history[len(before.history) - 1 :]):
        tally[f"jobs {entered.state} {_reason(before, after, entered.state)}"] = 1
        if entered.state is JobState.RUNNING:
            tally |= _observed(WAIT, WAIT, (entered.at - last.at).total_seconds())
            tally[BEGUN_AT_S] = entered.at.timestamp()
    if after.timings_s and not before.timings_s:
        for stage in after.timings_s.keys() & set(get_args(Stage)):  # not their sum
            tally |= _observed(STAGE, f"{STAGE} {stage}", after.timings_s[stage])
    return tally


def add_to(counts: dict[str, float], tally: Counts) -> None:
    """Add what is to be counted."""
    for name, value in tally.items():
        counts[name] = value if name == BEGUN_AT_S else counts.get(name, 0.0) + value


def _reason(before: Job, after: Job, state: JobState) -> str:
    """Why a job entered a state: a code; nothing where there is but one reason."""
    if state is JobState.FAILED and after.error is not None:
        return after.error.code
    if state is JobState.QUEUED:
        if after.n_losses > before.n_losses:
            return WORKER_LOST
        return "given-back" if before.state is JobState.RUNNING else "retried"
    return ""


def _observed(kind: str, name: str, value: float) -> dict[str, float]:
    """One value in a histogram."""
    bound = next(bound for bound in BUCKETS[kind] if value <= bound)
    return {f"{name} {bound}": 1, f"{name} sum": value}
