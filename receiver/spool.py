"""Series and jobs on disk: all that the receiver knows, so that it goes on after a crash where it was.

arriving/            what comes now
series/<key>/        the images of a series (`disyre.adapters.series_spool`)
jobs/<digest>/       the images that are one job, `state.json`, its results, and what of them is sent where
done/<digest>        how it went with images
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from disyre.adapters.series_spool import Sealed, SeriesSpool, sync, write_json
from disyre.errors import Misconfigured
from receiver.delivered import Delivered, Refusal
from receiver.past import Past

_STATE: Final = "state.json"
_FORGET_DONE_S: Final = 30 * 86_400.0


class Spool(SeriesSpool):
    """The folder, for one process at a time."""

    def __init__(self, root: Path, *, max_bytes: int, max_instances: int) -> None:
        super().__init__(root, max_bytes=max_bytes, max_instances=max_instances)
        self._locked: int | None = None
        self.arriving = root / "arriving"
        self._jobs, self._done = root / "jobs", root / "done"

    def open(self) -> None:
        """Make it ready, and drop what was half there. Raises Misconfigured if another process has it."""
        for folder in (self._root, self._jobs, self._done):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._locked = os.open(self._root, os.O_RDONLY)
        try:
            fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._locked)
            raise Misconfigured("expected a spool of its own, got one that another receiver uses") from None
        shutil.rmtree(self.arriving, ignore_errors=True)
        self.arriving.mkdir(mode=0o700)
        self.prepare()

    def close(self) -> None:
        """Let another process have it."""
        if self._locked is not None:
            os.close(self._locked)

    def seal_series(self, key: str) -> Sealed:
        """The images of a series as they are now, in a folder that nobody changes."""
        folder = self.arriving / f"sealed-{key}"
        shutil.rmtree(folder, ignore_errors=True)
        return self.seal(key, folder)

    def has_job(self, digest: str) -> bool:
        """Whether these images are a job that has not ended."""
        return (self._jobs / digest).exists()

    def job(self, digest: str) -> "SpooledJob":
        """The job of these images."""
        return SpooledJob(self._jobs / digest)

    def begin(self, sealed: Sealed, state: dict[str, Any]) -> None:
        """Make a job of a sealed series."""
        write_json(sealed.folder / _STATE, state)
        sync(sealed.folder / "images")
        sealed.folder.replace(self._jobs / sealed.digest)
        sync(self._jobs)

    def jobs(self) -> list["SpooledJob"]:
        """All jobs that have not ended."""
        return [SpooledJob(folder) for folder in sorted(self._jobs.iterdir())]

    def end(self, job: "SpooledJob", past: Past) -> None:
        """Note how a job ended, and remove what it held."""
        self.note(job.digest, past)
        shutil.rmtree(job.folder, ignore_errors=True)

    def note(self, digest: str, past: Past) -> None:
        """Note how it went with images."""
        write_json(self._done / digest, past.model_dump(mode="json"))

    def past(self, digest: str) -> Past | None:
        """How it went with images; None if that is not known."""
        try:
            return Past.model_validate_json((self._done / digest).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def sweep(self) -> None:
        """Forget how jobs ended long ago."""
        for path in self._done.iterdir():
            if time.time() - path.stat().st_mtime > _FORGET_DONE_S:
                path.unlink()


class SpooledJob:
    """A job in the spool."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def digest(self) -> str:
        """What its images are known by."""
        return self.folder.name

    @property
    def name(self) -> str:
        """What logs call it: a part of the hash of its series' UIDs; of its images, if it is an old one."""
        return str(self.state().get("series", self.digest))[:12]

    @property
    def series(self) -> str | None:
        """The key of its series; None if it is an old one, or is gone."""
        try:
            return self.state().get("series")
        except FileNotFoundError:
            return None

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
        write_json(self.folder / _STATE, {**self.state(), **changes})

    def delivered(self, destination: str) -> Delivered:
        """What of its results is at a destination."""
        path = self._sent_to(destination)
        if path.exists():
            return Delivered.model_validate_json(path.read_bytes())
        return Delivered(sent=self.state().get("sent", {}).get(destination, ()))

    def deliver(self, destination: str, sent: Iterable[str], refused: Mapping[str, Refusal]) -> None:
        """Note what a destination has got besides, and what it will never take."""
        so_far = self.delivered(destination)
        now = Delivered(sent=(*so_far.sent, *sent), refused={**so_far.refused, **refused})
        path = self._sent_to(destination)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        write_json(path, now.model_dump(mode="json"))

    def _sent_to(self, destination: str) -> Path:
        return self.folder / "sent" / f"{destination}.json"
