"""What the tests of all job stores share."""

from datetime import timedelta
from typing import Final

from disyre.job import Job
from tests.builders import NOON

LATER: Final = NOON + timedelta(minutes=1)
IDS: Final = [f"019b7a00-0000-7000-8000-00000000000{n}" for n in range(1, 6)]
LONG_S: Final = 60.0
"""Of a lease that outlasts a test."""


def start(job: Job) -> Job:
    return job.start(at=LATER)
