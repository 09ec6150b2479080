"""Jobs of keys in a service that asks for none: everybody who reaches it may see and delete them."""

import logging
from typing import Final

from disyre.adapters.job_store import JobStore
from disyre.errors import Unavailable
from disyre.job import LOCAL_OWNER

logger = logging.getLogger(__name__)

_LOOKED_AT: Final = 200
"""As many jobs, the newest, are looked at."""


def warn_of_exposed_jobs(jobs: JobStore) -> None:
    """Say so in the log if there are any; a broker that is away is asked no more."""
    try:
        owners = {job.owner for job in jobs.list(limit=_LOOKED_AT)} - {LOCAL_OWNER}
    except Unavailable:
        return
    if owners:
        logger.warning(
            "no API key is asked for, and there are jobs that were sent with one: whoever reaches this API "
            "may see, cancel and delete them. DISYRE_API_KEYS_FILE asks for keys again"
        )
