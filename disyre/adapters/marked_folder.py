"""The folder that programs share, and whether it is there, the right one, and can be written.

Whoever misses a file, or cannot write one, asks here whether the folder is to blame.
"""

import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from disyre.adapters.belonging import Belonging, Records
from disyre.documents import read_document
from disyre.errors import ArtifactsAway, ArtifactsRefused
from disyre.job_id import is_job_id
from disyre.store_mark import StoreMark

_MARK: Final = "store-mark.json"
_FOLDER: Final = "the folder that scans and results are kept in"
_REFUSALS: Final = {errno.EROFS, errno.EACCES, errno.EPERM}
_OUTAGES: Final = {
    *(errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO),
    *(errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH),
}
_BELIEVED_S: Final = 5.0
"""How long it is believed that the folder is there."""


class MarkedFolder:
    """A folder that is known by its mark."""

    def __init__(self, root: Path, records: Records | None = None) -> None:
        self._root = root
        self._jobs = root / "jobs"
        self._belonging = Belonging(_FOLDER, records, missing="is not there: its mark is missing")
        self._checked_at_s = float("-inf")

    def make(self) -> None:
        """Make what is missing, unless the folder is away.

        Raises ArtifactsAway, or OSError if it cannot be made.
        """
        try:
            self._check_mark()
            self._jobs.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            if error.errno in _OUTAGES:
                raise _away(f"does not answer ({name_of(error)})") from error
            raise

    def check(self) -> None:
        """Raise ArtifactsAway if the folder is not there, or is another one."""
        try:
            if self._check_mark() and not is_there(self._jobs):
                raise _away("is not there: it has its mark, and no jobs")
        except OSError as error:
            raise of_folder(error) or _away(f"cannot be read ({name_of(error)})") from error

    def check_now_and_then(self) -> bool:
        """Check, and make what a new one lacks, but not again within some seconds; whether it was done."""
        if time.monotonic() - self._checked_at_s < _BELIEVED_S:
            return False
        self.check()
        self._jobs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._checked_at_s = time.monotonic()
        return True

    def check_writable(self) -> None:
        """Raise ArtifactsAway if nothing can be kept in it now."""
        self.check()
        if not os.access(self._jobs, os.W_OK | os.X_OK):
            raise ArtifactsRefused(f"{_FOLDER} cannot be written")

    def blame(self, error: BaseException) -> None:
        """Raise ArtifactsAway if the folder is why something failed."""
        for each in _chain(error):
            if isinstance(each, OSError) and self._is_about(each) and (found := of_folder(each)):
                raise found from error
        try:
            self.check()
        except ArtifactsAway as away:
            raise away from error

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Raise ArtifactsAway where a block fails, as what the system says, and the folder is why."""
        try:
            yield
        except OSError as error:
            self.blame(error)
            raise

    def mark(self) -> StoreMark | None:
        """What it carries; None if there is nothing that can be read as that. Raises ArtifactsAway."""
        self.check()
        return self._read()[0]

    def set_mark(self, mark: StoreMark, *, sync: Callable[[Path], None]) -> None:
        """Have it carry a mark, whole or not at all. Raises ArtifactsAway."""
        self.check()  # one that is away is not to have it
        partial = self._root / f"{_MARK}.{secrets.token_hex(8)}"
        with self.blamed():
            try:
                partial.write_text(mark.model_dump_json(), encoding="utf-8")
                sync(partial)
                partial.rename(self._root / _MARK)
            finally:
                partial.unlink(missing_ok=True)
        self._belonging.note(mark)

    def job_ids(self) -> set[str]:
        """Ids of all jobs that have files."""
        return {name for name in os.listdir(self._jobs) if is_job_id(name)}

    def _read(self) -> tuple[StoreMark | None, bool]:
        """The mark, and whether there is a file of that name."""
        try:
            return read_document(StoreMark, (self._root / _MARK).read_text(encoding="utf-8")), True
        except (FileNotFoundError, NotADirectoryError):
            return None, False
        except ValueError:
            return None, True

    def _check_mark(self) -> bool:
        """Whether it has a mark. Raises ArtifactsAway if that is not the right one, or should be there."""
        mark, is_file = self._read()
        self._belonging.check(mark, is_file=is_file, here=self._here)
        return mark is not None

    def _here(self) -> set[str]:
        return self.job_ids() if is_there(self._jobs) else set()

    def _is_about(self, error: OSError) -> bool:
        """Whether an error may be about a file in here."""
        name = error.filename
        return name is None or isinstance(name, int) or Path(os.fsdecode(name)).is_relative_to(self._root)


def of_folder(error: OSError) -> ArtifactsAway | None:
    """What an error is to a caller, if it is one of a file system that is away, or cannot be written."""
    if error.errno in _REFUSALS:
        return ArtifactsRefused(f"{_FOLDER} cannot be used as it is ({name_of(error)})")
    if error.errno in _OUTAGES:
        return _away(f"does not answer ({name_of(error)})")
    return None


def is_there(path: Path) -> bool:
    """Whether a file or folder is there; what else goes wrong is raised, as `Path.exists` does not always."""
    return _mode(path) is not None


def is_file(path: Path) -> bool:
    """Whether a file is there; what else goes wrong is raised."""
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def _mode(path: Path) -> int | None:
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def name_of(error: OSError) -> str:
    """The name of what the system says, such as EIO."""
    return errno.errorcode.get(error.errno or 0, "no name")


def _away(how: str) -> ArtifactsAway:
    return ArtifactsAway(f"{_FOLDER} {how}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it came from."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__
