"""The JSON that clients see of the service itself: its queue, and whether it is up."""

from typing import Self

from disyre.adapters.worker_registry import WorkerInfo
from disyre.figures import Seconds
from service.view import View
from service.waiting_line import WaitingLine


class QueueView(View):
    """The queue, and who works on it."""

    depth: int
    """Jobs that wait."""
    running: int
    """Jobs that a worker has begun and not ended."""
    eta_s: Seconds | None
    """Estimated seconds until a job that is submitted now begins; null where nobody can tell."""
    workers: list[WorkerInfo]
    """Those that are there and whose network gives answers."""

    @classmethod
    def of(cls, line: WaitingLine, workers: list[WorkerInfo]) -> Self:
        """View of the queue."""
        eta_s = line.eta_of_next()
        return cls(depth=line.n_waiting, running=line.n_running, eta_s=eta_s, workers=workers)


class Liveness(View):
    """That the process answers."""

    alive: bool = True
    """Always true: a process that does not live does not answer."""


class ServerLiveness(View):
    """That the process answers, in the words of the Open Inference Protocol."""

    live: bool = True
    """Always true: a process that does not live does not answer."""


class ServerReadiness(View):
    """Whether a scan that is posted now can be scored, in the words of the Open Inference Protocol."""

    ready: bool
    """As of `/readyz`, which says why."""


class ModelReadiness(View):
    """That a model can score a scan, in the words of the Open Inference Protocol."""

    name: str
    """Of the model."""
    ready: bool = True
    """Always true: of a model that is not ready there is a problem document."""


class Readiness(View):
    """Whether a scan that is posted now can be scored."""

    ready: bool
    """Whether all checks are true."""
    checks: dict[str, bool]
    """What is needed, by name, and whether it is there."""
