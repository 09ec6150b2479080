"""Whether files are those of the records in the broker: both carry the same mark (`disyre.store_mark`).

A share that is not mounted is an empty folder, or none, and a wrong address is an empty bucket: what is
missing there was not removed. So whoever misses a file asks here first whether the place is to blame:

no mark, and none in the records              a first start, or files from before there were marks
no mark, and files of a job that is known     somebody removed the mark on purpose, as after a restore
a mark that cannot be read, such as an empty file: likewise, whatever else is there
no mark, and nothing of a known job           the files are away
another mark than the records have            it is another place
"""

from collections.abc import Callable, Collection
from typing import Protocol

from disyre.errors import ArtifactsAway, ArtifactsRefused, Unavailable
from disyre.store_mark import StoreMark


class Records(Protocol):
    """Whose files they are; a job store is that. Its methods raise Unavailable."""

    def mark(self) -> StoreMark | None:
        """What the files carry too; None if the records are new, or lost."""

    def known(self, job_ids: Collection[str]) -> set[str]:
        """Those of some ids that are of jobs."""


class Belonging:
    """What a place has to carry, to be that of the records."""

    def __init__(self, place: str, records: Records | None, *, missing: str) -> None:
        """`place` is what it is called in errors, and `missing` what is said where it lacks its mark."""
        self._place = place
        self._records = records
        self._missing = missing
        self._seen: str | None = None
        """The id of the mark with which it was last seen to be the right one."""

    def note(self, mark: StoreMark) -> None:
        """It has been given this mark."""
        self._seen = mark.id

    def check(self, mark: StoreMark | None, *, is_file: bool, here: Callable[[], set[str]]) -> None:
        """Raise ArtifactsAway if what a place carries is not the right mark, or if that should be there.

        `is_file` is whether there is something in the place of the mark, and `here` are the ids of the jobs
        that have files. Asks the broker only where the mark has changed, or is missing.
        """
        if mark is not None:
            self._compare(mark)
        elif not is_file and not self._may_be_missing(here):
            raise ArtifactsAway(f"{self._place} {self._missing}")

    def _compare(self, mark: StoreMark) -> None:
        if mark.id == self._seen:
            return
        try:
            other = self._of_records()
        except Unavailable:
            if self._seen is not None:
                raise ArtifactsAway(
                    f"{self._place} is another one than before, and the broker does not say which is right"
                ) from None
            return
        if other is not None and other.id != mark.id:
            raise ArtifactsRefused(f"{self._place} is another one than that of the jobs: it has another mark")
        self._seen = mark.id

    def _may_be_missing(self, here: Callable[[], set[str]]) -> bool:
        """Whether that there is no mark is no sign that the files are away."""
        found = here()
        try:
            if self._of_records() is None:
                return self._seen is None or bool(found)
            return bool(found and self._records and self._records.known(found))
        except Unavailable:
            return self._seen is None

    def _of_records(self) -> StoreMark | None:
        """The mark of the records, unless no files had been given it when they were."""
        mark = self._records.mark() if self._records is not None else None
        return mark if mark is not None and mark.count else None
