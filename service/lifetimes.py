"""Whether a job's time is over: from that moment it is answered as expired, wherever its files still are.

The time is the broker's, as for `service.retention`, which removes what is over within seconds, but first
watches that clock for an hour if it has not seen the job's whole time go by. To answer takes nothing away,
and is as it was once a wrong clock is right again; so it is not put off by that. Only a clock that was seen
to jump within the last hour is not believed here either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from disyre.errors import JobExpired
from disyre.job import Job
from service.steady_clock import SteadyClock


@dataclass(frozen=True)
class Lifetimes:
    """Tells by a clock which jobs are over."""

    now: Callable[[], datetime]
    """The broker's."""
    clock: SteadyClock

    def is_over(self, job: Job) -> bool:
        """Whether a job has expired. Raises Unavailable."""
        if job.expires_at is None or self.clock.has_jumped_lately():
            return False
        return self.now() >= job.expires_at

    def check(self, job: Job) -> None:
        """Raise JobExpired if a job is over, or Unavailable."""
        if self.is_over(job):
            raise JobExpired(job.owner)
