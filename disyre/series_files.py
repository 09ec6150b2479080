"""Which files of an upload have images of which series."""

from array import array
from collections.abc import Callable, Collection
from typing import TypeAlias

OnFiles: TypeAlias = Callable[[str, list[int]], None]
"""Is told the UID of a series, and the numbers of the files, from 0, that a job of it needs."""


class SeriesFiles:
    """The numbers of files, by the series of their images; a file has images of one series, or of none."""

    def __init__(self) -> None:
        self._of: dict[str, array[int]] = {}
        self._n = 0

    def take(self, series: Collection[str | None]) -> None:
        """The next files: which series each is of, None if it does not say, or is no image."""
        for number, each in enumerate(series, start=self._n):
            if each is not None:
                self._of.setdefault(each, array("I")).append(number)
        self._n += len(series)

    def needed(self, series: Collection[str]) -> list[int]:
        """The files of some series, and those of none: what is said of these is said to every job.

        >>> files = SeriesFiles()
        >>> files.take(["1.2", "1.3", None, "1.2"])
        >>> files.needed({"1.2"})
        [0, 2, 3]
        """
        others = {number for other, found in self._of.items() if other not in series for number in found}
        return [number for number in range(self._n) if number not in others]
