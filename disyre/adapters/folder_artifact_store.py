"""The store of files that is a folder: in it one folder a job.

jobs/<id>/input/000001        uploaded files, under neutral names, as long as the job may be begun
jobs/<id>/attempt-<n>/        results of an attempt; there only when whole
store-mark.json               what tells whose records these files belong to
incoming/<random>/            an upload that is not a job yet
jobs/<id>/attempt-<n>.partial an attempt that is being written
"""

import errno
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from disyre.adapters.belonging import Records
from disyre.adapters.free_room import FreeRoom
from disyre.adapters.marked_folder import MarkedFolder, is_file, is_there
from disyre.adapters.spool import Spool, opened
from disyre.errors import ArtifactNotFound, ArtifactsAway, DisyreError, InvalidInput, StorageFull
from disyre.job_input import JobInput
from disyre.progress import OnStep, go_on
from disyre.store_mark import StoreMark
from disyre.upload_parts import WHOLE, Parts

logger = logging.getLogger(__name__)

_SYNCED_AT_ONCE: Final = 8
"""Files of an upload that are waited for together; a journal that is written for one is for all."""
_LOOK_EVERY_S: Final = 0.5
"""While an attempt waits for a folder that is away."""


class FolderArtifactStore:
    """Artifacts in a folder that the API and the workers share. Everything in it is on one file system."""

    def __init__(
        self,
        root: Path,
        *,
        records: Records | None = None,
        patience_s: float = 0.0,
        sync: Callable[[Path], None] | None = None,
        lock: Callable[[int], None] | None = None,
    ) -> None:
        """`records` have the mark that the folder has; `patience_s` is how long an attempt waits for it."""
        self._root = root
        self._folder = MarkedFolder(root, records)
        self._patience_s = patience_s
        self._sync = sync or _sync
        """Has the disk hold a file, or a folder's entries."""
        self._spool = Spool(root / "incoming", lock=lock)

    def prepare(self) -> None:
        """Make the folders, readable to this user alone."""
        try:
            self._folder.make()
        except ArtifactsAway as error:
            logger.error("%s; starting all the same", error)
        else:
            self._spool.prepare()

    def free_room(self) -> FreeRoom:
        """What is left."""
        with self._folder.blamed():
            return FreeRoom.of(self._root)

    def check_folder(self) -> None:
        """Raise ArtifactsAway if the folder is away, or cannot be written."""
        self._prepare_now_and_then()
        self._folder.check_writable()

    def _prepare_now_and_then(self) -> None:
        if self._folder.check_now_and_then():
            self._spool.prepare()

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder for an upload; gone at the end, unless it was accepted."""
        with self._folder.blamed():
            self._prepare_now_and_then()
            with self._spool.folder() as folder:
                yield folder

    def accept(self, incoming: Path, *job_ids: str, only: Parts = WHOLE) -> None:
        """Make an upload the input of some jobs: of all, or, if something fails, of none.

        Its bytes are on the disk once; each job has names of its own for them, so that removing one harms no
        other. What is in no job's part, of those that `only` has, goes with the incoming folder. A power cut
        after this loses nothing of them. Raises StorageFull if the disk is.
        """
        last = next((job_id for job_id in reversed(job_ids) if job_id not in only), None)
        made: list[str] = []
        try:
            self._sync_upload(incoming)
            for job_id in job_ids:
                self._job(job_id).mkdir(mode=0o700)
                made.append(job_id)
            for job_id in job_ids:
                if job_id != last:
                    self._link(incoming, self._job(job_id) / "input", only.get(job_id))
            if last is not None:
                incoming.rename(self._job(last) / "input")
            for folder in (*(self._job(job_id) for job_id in job_ids), self._root / "jobs"):
                self._sync(folder)
        except BaseException as error:
            for job_id in made:
                with suppress(ArtifactsAway):  # what stays has no record, and will be removed as such
                    self.remove(job_id)
            if isinstance(error, OSError):
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise StorageFull("the disk ran full as the upload was stored") from error
                self._folder.blame(error)
            raise

    def _sync_upload(self, folder: Path) -> None:
        """Have the disk hold all files of an upload, each as soon as it can: one by one they wait in turn."""
        with ThreadPoolExecutor(max_workers=_SYNCED_AT_ONCE) as threads:
            list(threads.map(self._sync, folder.iterdir()))
        self._sync(folder)

    def _link(self, folder: Path, other: Path, names: Iterable[str] | None) -> None:
        """Make a folder with the same files, or with some of them."""
        other.mkdir(mode=0o700)
        for name in os.listdir(folder) if names is None else names:
            (other / name).hardlink_to(folder / name)
        self._sync(other)

    def is_reachable(self) -> bool:
        """Whether the folder is there, is the right one, and can be written."""
        try:
            self._folder.check_writable()
        except ArtifactsAway:
            return False
        return True

    def has_input(self, job_id: str, given: JobInput) -> bool:
        """Whether a job could be run again."""
        folder = self._job(job_id) / "input"
        with self._folder.blamed():
            is_whole = all(is_file(folder / file.name) for file in given.all_files)
        if not is_whole:
            self._folder.check()
        return is_whole

    def fetch(self, job_id: str, given: JobInput, *, on_step: OnStep = go_on) -> None:
        """Have the input of a job at hand, which it is."""

    def input_file(self, job_id: str, name: str) -> Path:
        """An uploaded file. Raises ArtifactNotFound if it is gone."""
        path = self._job(job_id) / "input" / name
        if not self._has(path):
            raise ArtifactNotFound.of_scan()
        return path

    @contextmanager
    def attempt(self, job_id: str, attempt: int, *, on_step: OnStep = go_on) -> Iterator[Path]:
        """A folder for the results of an attempt; it gets its name when the block ends without an error."""
        self._wait(on_step)
        partial = self._job(job_id) / f"attempt-{attempt}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            self._make(partial)
            yield partial
            self._keep(partial, self._job(job_id) / f"attempt-{attempt}", on_step)
        except Exception as error:
            # Whatever the work says that it misses, or takes for broken: it may be the folder.
            if not isinstance(error, DisyreError) or isinstance(error, InvalidInput):
                self._folder.blame(error)
            raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _wait(self, on_step: OnStep) -> None:
        """Wait until the folder can be used, for as long as there is patience. Raises ArtifactsAway."""
        ends_at_s = time.monotonic() + self._patience_s
        while True:
            try:
                return self._folder.check_writable()
            except ArtifactsAway:
                if time.monotonic() >= ends_at_s:
                    raise
            on_step()
            time.sleep(_LOOK_EVERY_S)

    def _make(self, partial: Path) -> None:
        try:
            partial.mkdir(mode=0o700)
        except FileNotFoundError as error:
            raise ArtifactNotFound.of_scan() from error

    def _keep(self, partial: Path, folder: Path, on_step: OnStep) -> None:
        for file in partial.iterdir():
            on_step()
            self._sync(file)
        self._sync(partial)
        partial.rename(folder)
        self._sync(folder.parent)

    def result_file(self, job_id: str, attempt: int, name: str) -> Path:
        """A file that an attempt gave. Raises ArtifactNotFound."""
        path = self._job(job_id) / f"attempt-{attempt}" / name
        if not self._has(path):
            raise ArtifactNotFound.of_result()
        return path

    def _has(self, path: Path) -> bool:
        """Whether a file is there. Raises ArtifactsAway if that cannot be known."""
        with self._folder.blamed():
            is_here = is_file(path)
        if not is_here:
            self._folder.check()
        return is_here

    def keep_only(self, job_id: str, attempt: int | None) -> None:
        """Remove what other attempts have left; what all have, if it is None."""
        with self._folder.blamed():
            found = os.listdir(self._job(job_id)) if is_there(self._job(job_id)) else []
        if not found:
            self._folder.check()
        for name in found:
            if name.startswith("attempt-") and name != f"attempt-{attempt}":
                self._remove(self._job(job_id) / name)

    def remove_input(self, job_id: str) -> None:
        """Remove what was uploaded for a job."""
        self._remove(self._job(job_id) / "input")

    def ids_with_input(self) -> set[str]:
        """Ids of all jobs of which the upload is here."""
        with self._folder.blamed():
            return {job_id for job_id in self.job_ids() if is_there(self._job(job_id) / "input")}

    def remove(self, job_id: str) -> None:
        """Remove all files of a job. Removing them twice does no harm.

        Raises ArtifactsAway if they, or some of them, stay.
        """
        self._remove(self._job(job_id))

    def job_ids(self) -> set[str]:
        """Ids of all jobs that have files."""
        with self._folder.blamed():
            return self._folder.job_ids()

    def mark(self) -> StoreMark | None:
        """What the records of these jobs carry too; None if there is nothing that can be read as that."""
        return self._folder.mark()

    def set_mark(self, mark: StoreMark) -> None:
        """From now on, the files belong to the records that carry this."""
        self._folder.set_mark(mark, sync=self._sync)

    def sweep(self, *, older_than_s: float) -> list[str]:
        """Remove uploads of processes that are gone; returns their names.

        Where the file system locks no folders, those go that were untouched for `older_than_s`. What became
        the input of a job stays, whatever is known of the job.
        """
        self._folder.check_writable()
        with self._folder.blamed():
            return self._spool.sweep(older_than_s=older_than_s)

    def _remove(self, folder: Path) -> None:
        """Remove a folder of a job. Raises ArtifactsAway unless it is gone."""
        shutil.rmtree(folder, ignore_errors=True)
        with self._folder.blamed():
            is_left = is_there(folder)
        self._folder.check_writable() if is_left else self._folder.check()
        if is_left:
            raise ArtifactsAway("not all files of the job could be removed, they are in use or protected")

    def _job(self, job_id: str) -> Path:
        return self._root / "jobs" / job_id


def _sync(path: Path) -> None:
    """Have the disk hold a file or a folder's entries."""
    with opened(path) as descriptor:
        os.fsync(descriptor)
