"""The JSON documents about the queue, as a client reads them."""

from pydantic import AwareDatetime

from disyre.client.documents import Document
from disyre.client.model_documents import HeldModelDocument


class WorkerDocument(Document):
    """A worker that is alive."""

    id: str
    provider: str | None = None
    models: tuple[str, ...] = ()
    """What it holds in memory, as `name/version`."""
    holds: tuple[HeldModelDocument, ...] | None = None
    """What it takes jobs for."""
    left_out: tuple[str, ...] = ()
    """Packages that it would hold if they were whole, as `name/version`."""
    started_at: AwareDatetime | None = None
    """When it was ready first."""
    last_seen_at: AwareDatetime | None = None
    """When it last said that it is there."""
    last_inference_at: AwareDatetime | None = None
    """When its network last gave an answer."""
    busy_with: str | None = None


class QueueDocument(Document):
    """The queue, and who works on it."""

    depth: int
    """Jobs that wait."""
    running: int = 0
    eta_s: float | None = None
    """Estimated time until a job that is submitted now begins."""
    workers: tuple[WorkerDocument, ...] = ()
