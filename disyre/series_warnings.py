"""What is odd about the series of an upload, each by itself."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from disyre.admission import OnWarning
from disyre.wording import collapsed

OnSeriesWarning: TypeAlias = Callable[[str, str], None]
"""Is told the UID of a series, as the option `series_uid` takes it, and a sentence about it."""


def of_series(series: str, on_series_warning: OnSeriesWarning) -> OnWarning:
    """Whom to tell what is odd about one series."""
    return lambda told: on_series_warning(series, told)


def of_picked(on_warning: OnWarning, picked: str | None = None) -> OnSeriesWarning:
    """Whom to tell what is odd about the one series that is picked, or about any, and nobody asks which."""

    def tell(series: str, told: str) -> None:
        if picked in (None, series):
            on_warning(told)

    return tell


class SeriesWarnings:
    """What is told of each series."""

    def __init__(self) -> None:
        self._of: dict[str, list[str]] = {}

    def note(self, series: str, told: str) -> None:
        """Remember a sentence about a series."""
        self._of.setdefault(series, []).append(told)

    def by_series(self) -> Mapping[str, tuple[str, ...]]:
        """The sentences about each series of which there are any, each once.

        >>> warnings = SeriesWarnings()
        >>> warnings.note("1.2", "odd")
        >>> warnings.note("1.2", "odd")
        >>> warnings.by_series()
        {'1.2': ('odd (2 times)',)}
        """
        return {series: collapsed(told) for series, told in self._of.items()}
