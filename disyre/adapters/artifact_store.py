"""Where a job's files are: one folder a job, below one root.

jobs/<id>/input/000001        uploaded files, under neutral names
jobs/<id>/attempt-<n>/        results of an attempt; there only when whole
incoming/<random>/            an upload that is not a job yet
jobs/<id>/attempt-<n>.partial an attempt that is being written
"""

import math
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from disyre.errors import ArtifactNotFound


class FolderArtifactStore:
    """Artifacts in a folder that the API and the workers share. Everything in it is on one file system."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self) -> None:
        """Make the folders, readable to this user alone."""
        for name in ("jobs", "incoming"):
            (self._root / name).mkdir(parents=True, exist_ok=True, mode=0o700)

    def free_bytes(self) -> int:
        """Room that is left."""
        return shutil.disk_usage(self._root).free

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder for an upload; gone at the end, unless it was accepted."""
        folder = self._root / "incoming" / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def accept(self, incoming: Path, *job_ids: str) -> None:
        """Make an upload the input of some jobs: of all, or, if something fails, of none.

        Its bytes are on the disk once; each job has names of its own for them, so that removing one harms no
        other.
        """
        *others, last = job_ids
        made: list[str] = []
        try:
            for job_id in job_ids:
                self._job(job_id).mkdir(mode=0o700)
                made.append(job_id)
            for job_id in others:
                _link(incoming, self._job(job_id) / "input")
            incoming.rename(self._job(last) / "input")
            for job_id in job_ids:
                _sync(self._job(job_id))
        except BaseException:
            for job_id in made:
                self.remove(job_id)
            raise

    def input_file(self, job_id: str, name: str) -> Path:
        """An uploaded file. Raises ArtifactNotFound if it is gone."""
        return _existing(self._job(job_id) / "input" / name)

    @contextmanager
    def attempt(self, job_id: str, attempt: int) -> Iterator[Path]:
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
                _sync(file)
            _sync(partial)
            partial.rename(self._job(job_id) / f"attempt-{attempt}")
            _sync(self._job(job_id))
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def result_file(self, job_id: str, attempt: int, name: str) -> Path:
        """A file that an attempt gave. Raises ArtifactNotFound."""
        return _existing(self._job(job_id) / f"attempt-{attempt}" / name)

    def keep_only(self, job_id: str, attempt: int) -> None:
        """Remove what other attempts have left."""
        for folder in self._job(job_id).glob("attempt-*"):
            if folder.name != f"attempt-{attempt}":
                shutil.rmtree(folder, ignore_errors=True)

    def remove(self, job_id: str) -> None:
        """Remove all files of a job. Removing them twice does no harm."""
        shutil.rmtree(self._job(job_id), ignore_errors=True)

    def sweep(self, *, older_than_s: float) -> list[str]:
        """Remove uploads that a killed API has left, untouched for `older_than_s`; returns their names.

        What became the input of a job stays, whatever is known of the job: a broker may lose its records, a
        scan that was accepted is not to be lost.
        """
        left = [folder for folder in (self._root / "incoming").iterdir() if _age_s(folder) > older_than_s]
        for folder in left:
            shutil.rmtree(folder, ignore_errors=True)
        return [folder.name for folder in left]

    def _job(self, job_id: str) -> Path:
        return self._root / "jobs" / job_id


def _link(folder: Path, other: Path) -> None:
    """A folder with the same files."""
    other.mkdir(mode=0o700)
    for file in folder.iterdir():
        (other / file.name).hardlink_to(file)
    _sync(other)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ArtifactNotFound(f"no file {path.name}")
    return path


def _age_s(folder: Path) -> float:
    """Time since a folder's entries changed; if it is gone, as if it were to change in the future."""
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return -math.inf


def _sync(path: Path) -> None:
    """Have the disk hold a file or a folder's entries."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
