"""The settings of the API. Read once in the composition root, then passed as they are."""

from ipaddress import ip_address
from pathlib import Path
from typing import Final

from pydantic import Field, IPvAnyAddress, PositiveFloat, PositiveInt

from disyre.adapters.settings import SharedSettings

LONGEST_KEPT_S: Final = 100 * 365 * 86400
"""Beyond it, it is as if for ever, and times to come would be none that can be told."""


class ServiceSettings(SharedSettings):
    """Settings of the API; environment variables `DISYRE_<NAME>`."""

    listen_host: IPvAnyAddress = ip_address("127.0.0.1")
    """Where the API listens."""
    listen_port: int = Field(default=8000, ge=0, lt=2**16)
    """And on which port."""
    allowed_hosts: str | None = None
    """Without keys: hosts under which the API is reached beside its own machine's, with commas."""
    api_keys_file: Path | None = None
    """The API keys; without them, the API has to listen where its own machine only can reach it."""
    oidc_issuer: str | None = None
    """The identity provider whose tokens are taken beside API keys, as its tokens name it."""
    oidc_audience: str | None = None
    """What its tokens call this service."""
    oidc_keys_url: str | None = None
    """Where its public keys are (`jwks_uri`)."""
    stall_timeout_s: PositiveInt = 10
    """A client that sends no whole head of a request, or too little of a body, for so long is cut off."""
    send_timeout_s: PositiveInt = 120
    """A client that takes too little of an answer for so long is cut off."""
    max_connections: PositiveInt = 2000
    """With so many clients connected, others are refused; fewer, where it may open too few files for them."""
    max_submits_per_minute: PositiveInt = 300
    """Calls of one key, within a minute, that need the scope `submit`."""
    max_upload_bytes: PositiveInt = 2 * 1024**3
    """The longest request body that is taken."""
    max_files: PositiveInt = 5000
    """The most files in one request."""
    upload_timeout_s: PositiveFloat = 900.0
    """A body that has not arrived by then is refused."""
    max_queued_jobs: PositiveInt = 1000
    """With this many jobs waiting, new ones are refused."""
    max_queued_voxels: PositiveInt = 20_000_000_000
    """With so many voxels in the scans of jobs that wait or run, new ones are refused."""
    min_free_bytes: int = Field(default=1024**3, ge=0)
    """Uploads must leave this much room on the disk."""
    retention_s: int = Field(default=30 * 86400, ge=0, le=LONGEST_KEPT_S)
    """A finished job is kept for so long, or for less if it says so; 0: until it is deleted."""
    tombstone_s: int = Field(default=30 * 86400, ge=1, le=LONGEST_KEPT_S)
    """So long it is remembered that there was a job which expired."""
    webhook_hosts: str | None = None
    """Hosts that may be called at the end of a job: names, addresses and networks, with commas."""
    webhook_secret_file: Path | None = None
    """Secrets that sign these calls."""
    pacs_file: Path | None = None
    """The archives that results may be sent to, and series fetched from."""
    export_to: str | None = None
    """The name of the one that gets the results of every job of DICOM, unless the job names another."""
    stow_rules: Path | None = None
    """Rules that say which series that came by STOW-RS are scored; None has all MR scored."""
    stow_quiet_s: PositiveFloat = 30.0
    """A series that came by STOW-RS is judged once nothing of it has come for so long."""
    stow_keep_s: float = Field(default=86_400.0, ge=0)
    """Its images are kept for so long after the last one, so that one that comes in parts becomes whole."""
    stow_keep_rejected_s: float = Field(default=3_600.0, ge=0)
    """The same of a series that was rejected."""
    stow_max_bytes: PositiveInt = 50 * 1024**3
    """Of all series that are held; beyond, images are refused for now."""
    stow_max_instances: PositiveInt = 5000
    """Of one series that is held."""
    reap_interval_s: PositiveFloat = 5.0
    """Time between two searches for jobs whose worker or message was lost."""
