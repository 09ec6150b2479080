"""The log of a program that a stack has started: bounded, and what went before is beside it."""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 16 * 2**20


@dataclass(frozen=True)
class LogFile:
    """A file to which a program appends, and one before it, called `<name>.1`: each of `most_bytes` or so."""

    path: Path
    most_bytes: int = MOST_BYTES

    @property
    def earlier(self) -> Path:
        """What was written before."""
        return self.path.with_name(f"{self.path.name}.1")

    def begin(self) -> None:
        """Put aside what an earlier stack has left, in the place of what was put aside before."""
        with contextlib.suppress(FileNotFoundError):
            self.path.replace(self.earlier)

    def keep_bounded(self) -> None:
        """Put aside what a program has written that goes on, and holds the file open, if it is much.

        Lines that it writes in that moment may be lost; all of it, if the disk is full.
        """
        try:
            if self.path.stat().st_size <= self.most_bytes:
                return
        except FileNotFoundError:
            return  # somebody removed it; the program goes on writing to what is nobody's any more
        with contextlib.suppress(OSError):
            shutil.copyfile(self.path, self.earlier)
        os.truncate(self.path, 0)
