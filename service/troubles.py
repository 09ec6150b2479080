"""What keeps works from being done that are done again and again: told of once, and once when it is over."""

import logging
from typing import Final, NamedTuple

from disyre.errors import ArtifactsAway, Unavailable

logger = logging.getLogger(__name__)


class _Trouble(NamedTuple):
    """What is said of it, in lines that are the same each time."""

    line: str
    """When it comes."""
    end: str
    """When it is over; several may have the same, which is said when the last of them is."""


_BROKER: Final = _Trouble(
    "the broker is away: no job is looked for, nobody is called, nothing exported", "the broker is back"
)


class Troubles:
    """Of several works, which may have the same one; it is over when the last of them is done again."""

    def __init__(self) -> None:
        self._of: dict[int, _Trouble] = {}
        """By the number of a work."""

    def note(self, number: int, error: Exception) -> None:
        """A work failed; the first that does so of this kind is told of."""
        trouble = _trouble(error)
        is_known = trouble in self._of.values()
        before = self._of.get(number)
        self._of[number] = trouble
        self._tell_end(before)
        if not is_known:
            _tell(error, trouble.line)

    def end(self, number: int) -> None:
        """A work was done."""
        self._tell_end(self._of.pop(number, None))

    def _tell_end(self, trouble: _Trouble | None) -> None:
        if trouble is not None and trouble.end not in {each.end for each in self._of.values()}:
            logger.info("%s", trouble.end)


def _trouble(error: Exception) -> _Trouble:
    if isinstance(error, ArtifactsAway):
        return _Trouble(str(error), "what scans and results are kept in can be used again")
    if isinstance(error, Unavailable):
        return _BROKER
    if isinstance(error, OSError):
        line = f"a file cannot be read or written ({error.strerror or type(error).__name__})"
        return _Trouble(line, "files can be read and written again")
    name = type(error).__name__
    return _Trouble(
        f"what is done every few seconds failed: {name}",
        f"what failed of {name} every few seconds is done again",
    )


def _tell(error: Exception, line: str) -> None:
    """One line of what is to be expected; of what is not, where it was."""
    if isinstance(error, Unavailable):
        logger.warning("%s", line)
    elif isinstance(error, OSError):
        logger.error("%s", line)
    else:
        logger.error("%s", line, exc_info=error)
