"""Where the files of jobs are, which the API and the workers share."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from disyre.adapters.free_room import FreeRoom
from disyre.job_input import JobInput
from disyre.progress import OnStep, go_on
from disyre.store_mark import StoreMark
from disyre.upload_parts import WHOLE, Parts


class ArtifactStore(Protocol):
    """Files of jobs, which the API and the workers share.

    All that reads or writes files raises ArtifactsAway or ArtifactsRefused where they cannot be had now.
    """

    def prepare(self) -> None:
        """Make what is missing on this machine. A folder that is away is left as it is."""

    def free_room(self) -> FreeRoom:
        """What is left for uploads on this machine."""

    def is_reachable(self) -> bool:
        """Whether the files can be had now."""

    def check_folder(self) -> None:
        """Raise ArtifactsAway if the data folder of this machine is away: nothing is kept in it then."""

    def incoming(self) -> AbstractContextManager[Path]:
        """A folder for an upload; gone at the end, unless it was accepted."""

    def accept(self, incoming: Path, *job_ids: str, only: Parts = WHOLE) -> None:
        """Make an upload the input of some jobs, durably: of all, or, if something fails, of none.

        `only` has the jobs that get no more than some files of it. Raises StorageFull.
        """

    def has_input(self, job_id: str, given: JobInput) -> bool:
        """Whether the input of a job is there, so that it could be run again."""

    def fetch(self, job_id: str, given: JobInput, *, on_step: OnStep = go_on) -> None:
        """Have the input of a job at hand, for as long as an attempt at it is under way.

        `on_step` is called every now and then. Raises ArtifactNotFound if it is gone, or DamagedArtifact.
        """

    def input_file(self, job_id: str, name: str) -> Path:
        """A file of a job's input, once that is at hand. Raises ArtifactNotFound."""

    def attempt(self, job_id: str, attempt: int, *, on_step: OnStep = go_on) -> AbstractContextManager[Path]:
        """A folder for the results of an attempt; they are kept if the block ends without an error.

        `on_step` is called now and then while they are stored; if it raises, they are not kept. Raises
        ArtifactNotFound, at its beginning or its end, if what was uploaded for the job is gone.
        """

    def result_file(self, job_id: str, attempt: int, name: str) -> Path:
        """A file that an attempt gave. Raises ArtifactNotFound or DamagedArtifact."""

    def keep_only(self, job_id: str, attempt: int | None) -> None:
        """Remove what other attempts have left; what all have, if it is None."""

    def remove_input(self, job_id: str) -> None:
        """Remove what was uploaded for a job, which is not begun again."""

    def ids_with_input(self) -> set[str]:
        """Ids of all jobs of which the upload is here."""

    def remove(self, job_id: str) -> None:
        """Remove all files of a job, or raise. Removing them twice does no harm."""

    def job_ids(self) -> set[str]:
        """Ids of all jobs that have files."""

    def mark(self) -> StoreMark | None:
        """What the records of these jobs carry too; None if there is nothing that can be read as that."""

    def set_mark(self, mark: StoreMark) -> None:
        """From now on, the files belong to the records that carry this."""

    def sweep(self, *, older_than_s: float) -> list[str]:
        """Remove from this machine what processes that are gone have left; returns its names.

        Where the file system locks no folders, what was untouched for `older_than_s` goes.
        """
