"""What a file system has left."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class FreeRoom:
    """What may still be written to a file system."""

    n_bytes: int
    n_files: int | None = None
    """Files and folders (inodes); None where the file system does not say."""

    @classmethod
    def of(cls, folder: Path) -> Self:
        """What the file system of a folder has left for this user."""
        found = os.statvfs(folder)
        return cls(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)
