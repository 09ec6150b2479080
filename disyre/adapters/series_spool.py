"""Series on disk while their images come: an image is held for good, and a series waits until it is quiet.

series/<key>/<hash of the UID>      the images of a series
lock                                held while images are put into place, or a series is removed
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from disyre.adapters.dicom_heading import Heading

_SYNCED_AT_ONCE: Final = 8
"""Images that are waited for together; a journal that is written for one is for all."""


class SpoolFull(Exception):
    """There is no room for an image now."""


@dataclass(frozen=True)
class Arrived:
    """An image that came, in a file on the same file system."""

    path: Path
    heading: Heading


def series_key(study: str, series: str, owner: str = "") -> str:
    """What a series is known by here: a hash of its UIDs, and of whose it is."""
    return _hash(*filter(None, (owner,)), study, series)


def image_name(instance: str) -> str:
    """The name of an image of a series: a hash of its UID."""
    return _hash(instance)


def ignore(key: str, heading: Heading) -> None:
    """Hear of a series, and do nothing."""


def do_nothing() -> None:
    """Nothing."""


class SeriesSpool:
    """Series below a folder; several processes may share it, and each sees all of them."""

    def __init__(self, root: Path, *, max_bytes: int, max_instances: int) -> None:
        self._root = root
        self._max_bytes, self._max_instances = max_bytes, max_instances
        self._n_bytes = 0
        self._series = root / "series"

    def prepare(self) -> None:
        """Make the folders, readable to this user alone, and look how much there is."""
        for folder in (self._root, self._series):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.weigh()

    def weigh(self) -> None:
        """Look how much there is; links to one file count once."""
        sizes = {}
        for where, _, names in os.walk(self._root):
            for name in names:
                with suppress(FileNotFoundError):  # it was removed meanwhile
                    seen = os.lstat(os.path.join(where, name))
                    sizes[seen.st_ino] = seen.st_size
        self._n_bytes = sum(sizes.values())

    def check_room(self) -> None:
        """Raises SpoolFull."""
        if self._n_bytes >= self._max_bytes:
            raise SpoolFull(f"expected at most {self._max_bytes} bytes in the spool")

    def take(self, image: Arrived) -> None:
        """Have an image for good: it outlives a power cut. Raises SpoolFull or OSError."""
        self.check_room()
        if self.take_all([image]):
            raise SpoolFull(f"expected at most {self._max_instances} images of a series")

    def take_all(
        self,
        images: Sequence[Arrived],
        *,
        owner: str = "",
        on_series: Callable[[str, Heading], None] = ignore,
    ) -> list[Arrived]:
        """Have images for good, but for those that their series has no room for: these are given back.

        `on_series` is called before the first image of each series is put into its place. Raises OSError.
        """
        with ThreadPoolExecutor(min(_SYNCED_AT_ONCE, len(images) or 1)) as threads:
            sizes = list(threads.map(_synced_size, images))
        left: list[Arrived] = []
        with self.changing():
            folders: dict[str, Path] = {}
            for image, size in zip(images, sizes, strict=True):
                key = series_key(image.heading.study, image.heading.series, owner)
                if key not in folders:
                    on_series(key, image.heading)
                    folders[key] = self._folder(key)
                if self._put(image, folders[key]):
                    self._n_bytes += size
                else:
                    left.append(image)
            for folder in folders.values():
                sync(folder)
        return left

    def series(self) -> Iterator[tuple[str, int]]:
        """The key of each series, and when its last image came (ns)."""
        for folder in sorted(self._series.iterdir()):
            yield folder.name, folder.stat().st_mtime_ns

    def n_images(self, key: str) -> int:
        """Of a series; 0 if there is none of this key."""
        folder = self._series / key
        return len(os.listdir(folder)) if folder.exists() else 0

    def seal(self, key: str, folder: Path) -> "Sealed":
        """The images of a series as they are now, in a new folder that nobody changes."""
        (folder / "images").mkdir(parents=True, mode=0o700)
        digest = hashlib.sha256()
        for image in sorted((self._series / key).iterdir()):
            link = folder / "images" / image.name
            os.link(image, link)
            with link.open("rb") as file:
                digest.update(image.name.encode() + hashlib.file_digest(file, "sha256").digest())
        return Sealed(folder, digest.hexdigest())

    def forget(self, key: str, last_ns: int, *, and_then: Callable[[], None] = do_nothing) -> bool:
        """Remove a series, unless an image came meanwhile; and do something before another one can come."""
        folder = self._series / key
        with self.changing():
            if folder.stat().st_mtime_ns != last_ns:
                return False
            shutil.rmtree(folder)
            and_then()
            return True

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Nobody else puts images into place or removes a series for the length of a block."""
        descriptor = os.open(self._root / "lock", os.O_RDONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _folder(self, key: str) -> Path:
        folder = self._series / key
        if not folder.exists():
            folder.mkdir(mode=0o700)
            sync(self._series)
        return folder

    def _put(self, image: Arrived, folder: Path) -> bool:
        """Put an image into its place; whether there is room."""
        target = folder / image_name(image.heading.sop_instance)
        if not target.exists() and len(os.listdir(folder)) >= self._max_instances:
            return False
        image.path.replace(target)
        return True


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


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file that outlives a power cut; whoever reads it sees the old one or the new one."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content), encoding="utf-8")
    sync(part)
    part.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the disk hold a file, or a folder's entries."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _synced_size(image: Arrived) -> int:
    sync(image.path)
    return image.path.stat().st_size


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]
