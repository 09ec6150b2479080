"""Folders of this machine for files under way: each is gone at the end, however its process ends."""

import fcntl
import math
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_MAKING_S: Final = 1.0
"""A folder that is younger may have been made, and not yet locked."""


class Spool:
    """Makes such folders below a root, and removes what killed processes have left of them."""

    def __init__(self, root: Path, *, lock: Callable[[int], None] | None = None) -> None:
        self._root = root
        self._lock = lock or _lock
        """Locks an open folder. Raises BlockingIOError if it is locked, another OSError if none can be."""

    def prepare(self) -> None:
        """Make the root, readable to this user alone."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A new folder for the length of a block, unless it is renamed.

        It is locked as long as this process is there, so that a sweep knows it from what a killed one left.
        """
        folder = self._root / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        try:
            with opened(folder) as descriptor:
                with suppress(OSError):  # some network file systems lock no folders
                    self._lock(descriptor)
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self, *, older_than_s: float) -> list[str]:
        """Remove the folders of processes that are gone; returns their names.

        Where the file system locks no folders, those go that were untouched for `older_than_s`.
        """
        left = [each for each in self._root.iterdir() if self._is_left(each, older_than_s)]
        for folder in left:
            shutil.rmtree(folder, ignore_errors=True)
        return [folder.name for folder in left]

    def _is_left(self, folder: Path, older_than_s: float) -> bool:
        """Whether nobody is at a folder any more."""
        try:
            with opened(folder) as descriptor:
                self._lock(descriptor)
        except BlockingIOError:
            return False
        except OSError:
            return age_s(folder) > older_than_s
        return age_s(folder) > _MAKING_S


def age_s(path: Path) -> float:
    """Time since a file, or a folder's entries, changed; if it is gone, as if that lay in the future."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return -math.inf


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor of a file or folder, for the length of a block."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Lock an open folder, until it is closed or this process ends, however that ends."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
