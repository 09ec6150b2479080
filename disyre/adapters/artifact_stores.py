"""Which artifact store the settings ask for."""

import logging

from disyre.adapters.artifact_store import ArtifactStore
from disyre.adapters.belonging import Records
from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.settings import SharedSettings
from disyre.errors import ArtifactsAway, ArtifactsRefused, Misconfigured

logger = logging.getLogger(__name__)


def open_artifact_store(
    settings: SharedSettings,
    *,
    timeout_s: float,
    patience_s: float = 0.0,
    records: Records | None = None,
) -> ArtifactStore:
    """The folder of the settings, or their bucket, if they name one.

    `patience_s` is how long an attempt waits for files that are away, and `records` are of the same jobs.
    A bucket that does not answer now may do so later; one that refuses this program keeps it from starting.
    Raises Misconfigured.
    """
    if settings.artifacts_url is None:
        return FolderArtifactStore(settings.data_dir, records=records, patience_s=patience_s)
    try:  # only who wants a bucket pays for its library, in memory and at start
        from disyre.adapters.bucket import Bucket
        from disyre.adapters.bucket_artifact_store import BucketArtifactStore
    except ImportError as error:
        raise Misconfigured("DISYRE_ARTIFACTS_URL is set, and the extra s3 is not installed") from error
    bucket = Bucket.connect(
        settings.artifacts_url,
        endpoint=settings.artifacts_endpoint,
        region=settings.artifacts_region,
        key=settings.artifacts_key(),
        timeout_s=timeout_s,
        patience_s=patience_s,
    )
    try:
        bucket.check()
    except ArtifactsRefused as error:
        raise Misconfigured(f"the bucket of DISYRE_ARTIFACTS_URL cannot be used: {error}") from error
    except ArtifactsAway as error:
        logger.warning("%s; starting all the same", error)
    return BucketArtifactStore(bucket, settings.data_dir, records=records)
