"""How long jobs live, by the clock of a store that never jumped."""

from disyre.adapters.clock_marks import InMemoryClockMarks
from disyre.adapters.job_store import JobStore
from service.lifetimes import Lifetimes
from service.steady_clock import SteadyClock


def lifetimes_of(jobs: JobStore) -> Lifetimes:
    """Those of the jobs of a store."""
    return Lifetimes(jobs.now, SteadyClock(InMemoryClockMarks(), boot=None))
