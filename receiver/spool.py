"""Series and jobs on disk: all that the receiver knows, so that it goes on after a crash where it was.

arriving/            what comes now
series/<key>/        the images of a series, by a hash of their UID
jobs/<digest>/       the images that are one job, `state.json`, and its results
done/<digest>        how a job ended
"""

import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from disyre.errors import Misconfigured
from receiver.heading import Heading

_STATE: Final = "state.json"
_FORGET_DONE_S: Final = 30 * 86_400.0


class SpoolFull(Exception):
    """There is no room for an image now."""


class Spool:
    """The folder, for one process at a time."""

    def __init__(self, root: Path, *, max_bytes: int, max_instances: int) -> None:
        self._root = root
        self._max_bytes, self._max_instances = max_bytes, max_instances
        self._changing = threading.Lock()
        self._n_bytes = 0
        self._locked: int | None = None
        self.arriving, self._series = root / "arriving", root / "series"
        self._jobs, self._done = root / "jobs", root / "done"

    def open(self) -> None:
        """Make it ready, and drop what was half there. Raises Misconfigured if another process has it."""
        for folder in (self._root, self._series, self._jobs, self._done):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._locked = os.open(self._root, os.O_RDONLY)
        try:
            fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._locked)
            raise Misconfigured("expected a spool of its own, got one that another receiver uses") from None
        shutil.rmtree(self.arriving, ignore_errors=True)
        self.arriving.mkdir(mode=0o700)
        self.weigh()

    def close(self) -> None:
        """Let another process have it."""
        if self._locked is not None:
            os.close(self._locked)

    def weigh(self) -> None:
        """Look how much there is; links to one file count once."""
        sizes = {}
        for where, _, names in os.walk(self._root):
            for name in names:
                try:
                    seen = os.lstat(os.path.join(where, name))
                except FileNotFoundError:
                    continue
                sizes[seen.st_ino] = seen.st_size
        self._n_bytes = sum(sizes.values())

    def check_room(self) -> None:
        """Raises SpoolFull."""
        if self._n_bytes >= self._max_bytes:
            raise SpoolFull(f"expected at most {self._max_bytes} bytes in the spool")

    def take(self, arrived: Path, heading: Heading) -> None:
        """Have an image of `arriving` for good: it outlives a power cut. Raises SpoolFull or OSError."""
        self.check_room()
        size = arrived.stat().st_size
        _sync(arrived)
        with self._changing:
            folder = self._series / _hash(heading.study, heading.series)
            target = folder / _hash(heading.sop_instance)
            if not folder.exists():
                folder.mkdir(mode=0o700)
                _sync(self._series)
            elif not target.exists() and len(os.listdir(folder)) >= self._max_instances:
                raise SpoolFull(f"expected at most {self._max_instances} images of a series")
            arrived.replace(target)
            _sync(folder)
            self._n_bytes += size

    def series(self) -> Iterator[tuple[str, int]]:
        """The key of each series, and when its last image came (ns)."""
        for folder in sorted(self._series.iterdir()):
            yield folder.name, folder.stat().st_mtime_ns

    def seal(self, key: str) -> "Sealed":
        """The images of a series as they are now, in a folder that nobody changes."""
        folder = self.arriving / f"sealed-{key}"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "images").mkdir(parents=True, mode=0o700)
        digest = hashlib.sha256()
        for image in sorted((self._series / key).iterdir()):
            link = folder / "images" / image.name
            os.link(image, link)
            with link.open("rb") as file:
                digest.update(image.name.encode() + hashlib.file_digest(file, "sha256").digest())
        return Sealed(folder, digest.hexdigest())

    def knows(self, digest: str) -> bool:
        """Whether these images are or were a job."""
        return (self._jobs / digest).exists() or (self._done / digest).exists()

    def begin(self, sealed: "Sealed", state: dict[str, Any]) -> None:
        """Make a job of a sealed series."""
        _write(sealed.folder / _STATE, state)
        _sync(sealed.folder / "images")
        sealed.folder.replace(self._jobs / sealed.digest)
        _sync(self._jobs)

    def jobs(self) -> list["SpooledJob"]:
        """All jobs that have not ended."""
        return [SpooledJob(folder) for folder in sorted(self._jobs.iterdir())]

    def end(self, job: "SpooledJob", outcome: str) -> None:
        """Note how a job ended, and remove what it held."""
        self.note(job.digest, outcome)
        shutil.rmtree(job.folder, ignore_errors=True)

    def note(self, digest: str, outcome: str) -> None:
        """Note how it went with a content."""
        _write(self._done / digest, {"outcome": outcome})

    def outcome(self, digest: str) -> str | None:
        """How it went with a content; None if it has not ended."""
        path = self._done / digest
        return str(json.loads(path.read_text(encoding="utf-8"))["outcome"]) if path.exists() else None

    def forget(self, key: str, last_ns: int) -> bool:
        """Remove a series, unless an image came meanwhile."""
        folder = self._series / key
        with self._changing:
            if folder.stat().st_mtime_ns != last_ns:
                return False
            shutil.rmtree(folder)
            return True

    def sweep(self) -> None:
        """Forget how jobs ended long ago."""
        for path in self._done.iterdir():
            if time.time() - path.stat().st_mtime > _FORGET_DONE_S:
                path.unlink()


class Sealed:
    """The images of a series at one moment."""

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder, self.digest = folder, digest

    def images(self) -> list[Path]:
        """The files."""
        return sorted((self.folder / "images").iterdir())

    def drop(self) -> None:
        """Not needed: the series has its images still."""
        shutil.rmtree(self.folder, ignore_errors=True)


class SpooledJob:
    """A job in the spool."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def digest(self) -> str:
        """What its images are known by."""
        return self.folder.name

    @property
    def results(self) -> Path:
        """The folder of its results."""
        return self.folder / "results"

    def images(self) -> list[Path]:
        """The files that are sent to the API."""
        return sorted((self.folder / "images").iterdir())

    def state(self) -> dict[str, Any]:
        """How far it is."""
        return dict(json.loads((self.folder / _STATE).read_text(encoding="utf-8")))

    def save(self, **changes: Any) -> None:
        """Note how far it is."""
        _write(self.folder / _STATE, {**self.state(), **changes})


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content), encoding="utf-8")
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]
