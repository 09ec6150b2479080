"""What keeps works from being done that are done again and again: told of once, and once when it is over."""

import logging
from typing import Final

from disyre.errors import ArtifactsAway, Unavailable

logger = logging.getLogger(__name__)

_BROKER: Final = "the broker is away: no job is looked for, nobody is called, nothing exported"


class Troubles:
    """Of several works, which may have the same one; it is over when the last of them is done again."""

    def __init__(self) -> None:
        self._of: dict[int, str] = {}
        """By the number of a work."""

    def note(self, number: int, error: Exception) -> None:
        """A work failed; the first that does so of this kind is told of."""
        trouble = _trouble(error)
        is_known = trouble in self._of.values()
        self.end(number, unless=trouble)
        self._of[number] = trouble
        if not is_known:
            _tell(error, trouble)

    def end(self, number: int, *, unless: str | None = None) -> None:
        """A work was done, or failed in another way than this."""
        trouble = self._of.get(number)
        if trouble is None or trouble == unless:
            return
        del self._of[number]
        if trouble not in self._of.values():
            logger.warning("it is over: %s", trouble)


def _trouble(error: Exception) -> str:
    """What it is, in a line that is the same each time."""
    if isinstance(error, ArtifactsAway):
        return str(error)
    if isinstance(error, Unavailable):
        return _BROKER
    if isinstance(error, OSError):
        return f"a file cannot be read or written ({error.strerror or type(error).__name__})"
    return f"what is done every few seconds failed: {type(error).__name__}"


def _tell(error: Exception, trouble: str) -> None:
    """One line of what is to be expected; of what is not, where it was."""
    if isinstance(error, Unavailable):
        logger.warning("%s", trouble)
    elif isinstance(error, OSError):
        logger.error("%s", trouble)
    else:
        logger.error("%s", trouble, exc_info=error)
