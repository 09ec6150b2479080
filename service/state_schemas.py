"""The JSON that clients see of the service itself: its queue, and whether it is up."""

from typing import Self

from disyre.adapters.worker_registry import WorkerInfo
from service.view import View
from service.waiting_line import WaitingLine


class QueueView(View):
    """The queue, and who works on it."""

    depth: int
    """Jobs that wait."""
    running: int
    eta_s: float | None
    """Estimated time until a job that is submitted now begins."""
    workers: list[WorkerInfo]

    @classmethod
    def of(cls, line: WaitingLine, workers: list[WorkerInfo]) -> Self:
        """View of the queue."""
        eta_s = line.eta_start_s(line.n_waiting + 1)
        return cls(depth=line.n_waiting, running=line.n_running, eta_s=eta_s, workers=workers)


class Liveness(View):
    """That the process answers."""

    alive: bool = True


class Readiness(View):
    """Whether a scan that is posted now can be scored."""

    ready: bool
    checks: dict[str, bool]
