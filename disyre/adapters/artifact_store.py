"""Where a job's files are, and the store that is a folder: in it one folder a job.

jobs/<id>/input/000001        uploaded files, under neutral names, as long as the job may be begun
jobs/<id>/attempt-<n>/        results of an attempt; there only when whole
store-mark.json               what tells whose records these files belong to
incoming/<random>/            an upload that is not a job yet
jobs/<id>/attempt-<n>.partial an attempt that is being written
"""

import errno
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from disyre.adapters.free_room import FreeRoom
from disyre.adapters.spool import Spool, opened
from disyre.documents import read_document
from disyre.errors import ArtifactNotFound, StorageFull
from disyre.job_id import is_job_id
from disyre.job_input import JobInput
from disyre.progress import OnStep, go_on
from disyre.store_mark import StoreMark

logger = logging.getLogger(__name__)

_SYNCED_AT_ONCE: Final = 8
"""Files of an upload that are waited for together; a journal that is written for one is for all."""
_MARK: Final = "store-mark.json"


class ArtifactStore(Protocol):
    """Files of jobs, which the API and the workers share.

    One that is asked over a network raises ArtifactsAway or ArtifactsRefused where it does not answer.
    """

    def prepare(self) -> None:
        """Make what is missing on this machine. Never asks another one."""

    def free_room(self) -> FreeRoom:
        """What is left for uploads on this machine."""

    def is_reachable(self) -> bool:
        """Whether the files can be had now."""

    def incoming(self) -> AbstractContextManager[Path]:
        """A folder for an upload; gone at the end, unless it was accepted."""

    def accept(self, incoming: Path, *job_ids: str) -> None:
        """Make an upload the input of some jobs, durably: of all, or, if something fails, of none.

        Raises StorageFull.
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
        ArtifactNotFound, at its beginning or its end, if the job was deleted.
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
        """Remove all files of a job. Removing them twice does no harm."""

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


class FolderArtifactStore:
    """Artifacts in a folder that the API and the workers share. Everything in it is on one file system."""

    def __init__(
        self,
        root: Path,
        *,
        sync: Callable[[Path], None] | None = None,
        lock: Callable[[int], None] | None = None,
    ) -> None:
        self._root = root
        self._sync = sync or _sync
        """Has the disk hold a file, or a folder's entries."""
        self._spool = Spool(root / "incoming", lock=lock)

    def prepare(self) -> None:
        """Make the folders, readable to this user alone."""
        (self._root / "jobs").mkdir(parents=True, exist_ok=True, mode=0o700)
        self._spool.prepare()

    def free_room(self) -> FreeRoom:
        """What is left."""
        return FreeRoom.of(self._root)

    def incoming(self) -> AbstractContextManager[Path]:
        """A folder for an upload; gone at the end, unless it was accepted."""
        return self._spool.folder()

    def accept(self, incoming: Path, *job_ids: str) -> None:
        """Make an upload the input of some jobs: of all, or, if something fails, of none.

        Its bytes are on the disk once; each job has names of its own for them, so that removing one harms no
        other. A power cut after this loses nothing of them. Raises StorageFull if the disk is.
        """
        *others, last = job_ids
        made: list[str] = []
        try:
            self._sync_upload(incoming)
            for job_id in job_ids:
                self._job(job_id).mkdir(mode=0o700)
                made.append(job_id)
            for job_id in others:
                self._link(incoming, self._job(job_id) / "input")
            incoming.rename(self._job(last) / "input")
            for folder in (*(self._job(job_id) for job_id in job_ids), self._root / "jobs"):
                self._sync(folder)
        except BaseException as error:
            for job_id in made:
                self.remove(job_id)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull("the disk ran full as the upload was stored") from error
            raise

    def _sync_upload(self, folder: Path) -> None:
        """Have the disk hold all files of an upload, each as soon as it can: one by one they wait in turn."""
        with ThreadPoolExecutor(max_workers=_SYNCED_AT_ONCE) as threads:
            list(threads.map(self._sync, folder.iterdir()))
        self._sync(folder)

    def _link(self, folder: Path, other: Path) -> None:
        """Make a folder with the same files."""
        other.mkdir(mode=0o700)
        for file in folder.iterdir():
            (other / file.name).hardlink_to(file)
        self._sync(other)

    def is_reachable(self) -> bool:
        """Whether the files can be had: a folder is there."""
        return True

    def has_input(self, job_id: str, given: JobInput) -> bool:
        """Whether a job could be run again."""
        folder = self._job(job_id) / "input"
        return all((folder / file.name).is_file() for file in given.all_files)

    def fetch(self, job_id: str, given: JobInput, *, on_step: OnStep = go_on) -> None:
        """Have the input of a job at hand, which it is."""

    def input_file(self, job_id: str, name: str) -> Path:
        """An uploaded file. Raises ArtifactNotFound if it is gone."""
        return _existing(self._job(job_id) / "input" / name)

    @contextmanager
    def attempt(self, job_id: str, attempt: int, *, on_step: OnStep = go_on) -> Iterator[Path]:
        """A folder for the results of an attempt; it gets its name when the block ends without an error."""
        partial = self._job(job_id) / f"attempt-{attempt}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(mode=0o700)
        except FileNotFoundError as error:
            raise ArtifactNotFound("the job was deleted") from error
        try:
            yield partial
            for file in partial.iterdir():
                on_step()
                self._sync(file)
            self._sync(partial)
            partial.rename(self._job(job_id) / f"attempt-{attempt}")
            self._sync(self._job(job_id))
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def result_file(self, job_id: str, attempt: int, name: str) -> Path:
        """A file that an attempt gave. Raises ArtifactNotFound."""
        return _existing(self._job(job_id) / f"attempt-{attempt}" / name)

    def keep_only(self, job_id: str, attempt: int | None) -> None:
        """Remove what other attempts have left; what all have, if it is None."""
        for folder in self._job(job_id).glob("attempt-*"):
            if folder.name != f"attempt-{attempt}":
                self._remove(job_id, folder)

    def remove_input(self, job_id: str) -> None:
        """Remove what was uploaded for a job."""
        self._remove(job_id, self._job(job_id) / "input")

    def ids_with_input(self) -> set[str]:
        """Ids of all jobs of which the upload is here."""
        return {job_id for job_id in self.job_ids() if (self._job(job_id) / "input").is_dir()}

    def remove(self, job_id: str) -> None:
        """Remove all files of a job. Removing them twice does no harm."""
        self._remove(job_id, self._job(job_id))

    def job_ids(self) -> set[str]:
        """Ids of all jobs that have files."""
        return {folder.name for folder in (self._root / "jobs").iterdir() if is_job_id(folder.name)}

    def mark(self) -> StoreMark | None:
        """What the records of these jobs carry too; None if there is nothing that can be read as that."""
        try:
            return read_document(StoreMark, (self._root / _MARK).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def set_mark(self, mark: StoreMark) -> None:
        """From now on, the files belong to the records that carry this."""
        partial = self._root / f"{_MARK}.{secrets.token_hex(8)}"
        try:
            partial.write_text(mark.model_dump_json(), encoding="utf-8")
            self._sync(partial)
            partial.rename(self._root / _MARK)
        finally:
            partial.unlink(missing_ok=True)

    def sweep(self, *, older_than_s: float) -> list[str]:
        """Remove uploads of processes that are gone; returns their names.

        Where the file system locks no folders, those go that were untouched for `older_than_s`. What became
        the input of a job stays, whatever is known of the job.
        """
        return self._spool.sweep(older_than_s=older_than_s)

    def _remove(self, job_id: str, folder: Path) -> None:
        """Remove a folder of a job; that some of it cannot be is for the operator to know."""
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            logger.error("job %s: not all files could be removed that nobody needs any more", job_id)

    def _job(self, job_id: str) -> Path:
        return self._root / "jobs" / job_id


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ArtifactNotFound(f"no file {path.name}")
    return path


def _sync(path: Path) -> None:
    """Have the disk hold a file or a folder's entries."""
    with opened(path) as descriptor:
        os.fsync(descriptor)
