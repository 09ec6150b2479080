"""How long the queue may get."""

from dataclasses import dataclass
from typing import Final

from disyre.errors import QueueFull
from disyre.wording import counted


@dataclass(frozen=True)
class QueueLimits:
    """What new jobs must not exceed; None is no limit."""

    most_waiting: int | None = None
    """Jobs that wait."""
    most_voxels: int | None = None
    """In the scans of all jobs that wait or run; a scan is taken, whatever it has, if it is the only one."""

    def check(self, n_waiting: int, there: int, more: int) -> None:
        """Raise QueueFull if so many jobs, or to the voxels that are there so many more, are too many."""
        if self.most_waiting is not None and n_waiting > self.most_waiting:
            raise self.too_many_jobs()
        if self.most_voxels is not None and there and there + more > self.most_voxels:
            raise self.too_many_voxels(there, more)

    def too_many_jobs(self) -> QueueFull:
        """What is raised where no more jobs may wait."""
        return QueueFull(f"expected fewer than {counted(self.most_waiting or 0, 'waiting job')}")

    def too_many_voxels(self, there: int, more: int) -> QueueFull:
        """What is raised where no scans with so many more voxels may wait."""
        wanted = f"at most {self.most_voxels} voxels in all scans that wait or run"
        return QueueFull(f"expected {wanted}, got {there} and {more} more")


UNLIMITED: Final = QueueLimits()
