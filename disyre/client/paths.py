"""Where the API has what."""

from typing import Final
from urllib.parse import quote

from disyre.client.job_documents import JobDocument

JOBS: Final = "/v1/jobs"
STUDIES: Final = "/v1/studies"


def path_of(job: JobDocument | str) -> str:
    """Where a job is, of which this is the document or the id."""
    job_id = job if isinstance(job, str) else job.id
    return f"{JOBS}/{quote(job_id, safe='')}"
