"""The settings of the API. Read once in the composition root, then passed as they are."""

from pydantic import Field, PositiveFloat, PositiveInt

from disyre.adapters.settings import SharedSettings


class ServiceSettings(SharedSettings):
    """Settings of the API; environment variables `DISYRE_<NAME>`."""

    max_upload_bytes: PositiveInt = 2 * 1024**3
    """The longest request body that is taken."""
    max_files: PositiveInt = 5000
    """The most files in one request."""
    upload_timeout_s: PositiveFloat = 900.0
    """A body that has not arrived by then is refused."""
    max_queued_jobs: PositiveInt = 1000
    """With this many jobs waiting, new ones are refused."""
    min_free_bytes: int = Field(default=1024**3, ge=0)
    """Uploads must leave this much room on the disk."""
    reap_interval_s: PositiveFloat = 5.0
    """Time between two searches for jobs whose worker or message was lost."""
