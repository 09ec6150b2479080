"""Series that came by STOW-RS, held on disk until they are judged and for some time after.

arriving/<random>/         what comes now, or is looked at
series/<key>/              the images of a series (`disyre.adapters.series_spool`)
records/<key>.json         whose it is, and how far it is
round                      locked by the process that goes over them
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from pydantic import Field

from disyre.adapters.dicom_heading import Heading
from disyre.adapters.series_spool import Arrived, Sealed, SeriesSpool, SpoolFull, do_nothing, sync, write_json
from disyre.adapters.spool import Spool
from disyre.documents import read_document
from disyre.eligibility import Rule
from disyre.errors import ArtifactsAway, StorageFull
from disyre.frozen import Frozen

_LOOK_S: Final = 0.05


class SeriesState(StrEnum):
    """How far a series is."""

    WAITING = "waiting"
    SUBMITTED = "submitted"
    REJECTED = "rejected"


class Begun(Frozen):
    """A submission that is to be made, or may have been made by a process that was killed."""

    digest: str
    """Of the images."""
    nonce: str
    """What the submission is known by, so that it is made once."""
    rule: Rule
    labels: dict[str, str] = Field(default={})
    """Of the job, beside those of the rule."""


class SeriesRecord(Frozen):
    """What is known of a series."""

    owner: str
    study_uid: str | None
    """None once its images are gone."""
    series_uid: str | None
    """Likewise."""
    state: SeriesState = SeriesState.WAITING
    judged_ns: int | None = None
    """When the last of the images had come of which this is the state."""
    digest: str | None = None
    """Of the images that were submitted."""
    job_id: str | None = None
    rule: str | None = None
    """The name of the one that took it."""
    code: str | None = None
    """What kind of reason there was to reject it."""
    reasons: tuple[str, ...] = ()
    """Why it was rejected, without anything that a person wrote into an image."""
    begun: Begun | None = None

    @classmethod
    def of(cls, owner: str, heading: Heading) -> Self:
        """That of a series of which nothing was known."""
        return cls(owner=owner, study_uid=heading.study, series_uid=heading.series)


class HeldSeries:
    """Series of all owners; several processes may share the folder."""

    def __init__(
        self,
        root: Path,
        *,
        max_bytes: int,
        max_instances: int,
        check_folder: Callable[[], None] = do_nothing,
    ) -> None:
        """`check_folder` raises ArtifactsAway while what `root` is in is away: images would be lost in it."""
        self._root = root
        self._check_folder = check_folder
        self._spool = SeriesSpool(root, max_bytes=max_bytes, max_instances=max_instances)
        self._arriving = Spool(root / "arriving")
        self._records = root / "records"

    def prepare(self) -> None:
        """Make the folders, unless they are away."""
        try:
            self._check_folder()
        except ArtifactsAway:
            return
        self._make()

    def _make(self) -> None:
        self._spool.prepare()
        self._arriving.prepare()
        self._records.mkdir(exist_ok=True, mode=0o700)

    def check_room(self) -> None:
        """Raise StorageFull if no more images may be held now, or ArtifactsAway."""
        self._check_folder()
        if not self._records.is_dir():  # they were away at the start, and are new
            self._make()
        try:
            self._spool.check_room()
        except SpoolFull as error:
            raise StorageFull("there is no room for more series now") from error

    def folder(self) -> AbstractContextManager[Path]:
        """A folder for what comes, for the length of a block."""
        return self._arriving.folder()

    def take(self, owner: str, images: Sequence[Arrived]) -> list[Arrived]:
        """Hold images for good, but for those that there is no room for: these are given back."""
        return self._spool.take_all(
            images, owner=owner, on_series=lambda key, heading: self._note(key, owner, heading)
        )

    def _note(self, key: str, owner: str, heading: Heading) -> None:
        """Know of a series before its first image is there."""
        record = self.record(key)
        if record is None:
            self.save(key, SeriesRecord.of(owner, heading))
        elif record.study_uid is None:
            update = {"study_uid": heading.study, "series_uid": heading.series}
            self.save(key, record.model_copy(update=update))

    def series(self) -> Iterator[tuple[str, int]]:
        """The key of each series that is held, and when its last image came (ns)."""
        return self._spool.series()

    def last_ns(self, key: str) -> int | None:
        """When the last image of a series came (ns); None if it is not held."""
        return dict(self.series()).get(key)

    def known(self) -> list[str]:
        """Keys of all series of which something is known."""
        return sorted(path.stem for path in self._records.glob("*.json"))

    def n_images(self, key: str) -> int:
        """That are held of a series."""
        return self._spool.n_images(key)

    def record(self, key: str) -> SeriesRecord | None:
        """What is known of a series; None if it is not known."""
        try:
            return read_document(SeriesRecord, self._path(key).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def save(self, key: str, record: SeriesRecord) -> None:
        """Know this of a series, whatever happens."""
        write_json(self._path(key), record.model_dump(mode="json", exclude_unset=True))

    def seal(self, key: str, folder: Path) -> Sealed:
        """The images of a series as they are now, below a folder."""
        return self._spool.seal(key, folder / "sealed")

    def forget_images(self, key: str, last_ns: int) -> None:
        """Remove the images of a series, and its UIDs, unless an image came meanwhile."""
        record = self.record(key)
        if record is None:
            self.forget(key, last_ns)
            return
        blank = record.model_copy(update={"study_uid": None, "series_uid": None})
        self._spool.forget(key, last_ns, and_then=lambda: self.save(key, blank))

    def forget(self, key: str, last_ns: int | None) -> None:
        """Remove a series and all that is known of it, unless an image came meanwhile.

        None is that of a series without images.
        """
        if last_ns is None:
            with self._spool.changing():
                if not self.n_images(key):
                    self._drop(key)
        else:
            self._spool.forget(key, last_ns, and_then=lambda: self._drop(key))

    def _drop(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)
        sync(self._records)

    def sweep(self, *, older_than_s: float) -> None:
        """Remove what processes that are gone have left, and look how much is held."""
        self._arriving.sweep(older_than_s=older_than_s)
        self._spool.weigh()

    @contextmanager
    def round(self, *, wait_s: float = 0.0) -> Iterator[bool]:
        """Be the only one who makes jobs of series for the length of a block; False if somebody else is."""
        descriptor = os.open(self._root / "round", os.O_RDONLY | os.O_CREAT, 0o600)
        try:
            yield _is_locked(descriptor, wait_s)
        finally:
            os.close(descriptor)

    def _path(self, key: str) -> Path:
        return self._records / f"{key}.json"


def _is_locked(descriptor: int, wait_s: float) -> bool:
    """Lock a file until it is closed; whether that could be done in time."""
    until_s = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until_s:
                return False
            time.sleep(_LOOK_S)
        else:
            return True
