"""Whether there can be results in a folder: found out before anything is computed for it."""

import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def unwritable(folders: Iterable[Path]) -> tuple[Path, OSError] | None:
    """The first folder that could not be made, or that no file could be put into, and why; None of good ones.

    Each is tried where it is, or in the nearest folder above it that is there; nothing is left behind.
    """
    tried: set[Path] = set()
    for folder in folders:
        try:
            place = _nearest(folder)
            if place not in tried:
                tempfile.TemporaryFile(dir=place).close()
        except OSError as error:
            return folder, error
        tried.add(place)
    return None


def _nearest(folder: Path) -> Path:
    """The folder itself or the one above it that is there. Raises OSError if that is no folder."""
    place = next(path for path in (folder, *folder.parents) if _is_there(path))
    if not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
    return place


def _is_there(path: Path) -> bool:
    """Whether there is something, if only a link that leads nowhere. Raises OSError."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
