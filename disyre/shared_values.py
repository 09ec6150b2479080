"""What many images of an upload have in common, kept once for all of them."""

from collections.abc import Hashable
from typing import Any, Final, TypeVar

from disyre.errors import InvalidInput
from disyre.stacks import Vector

_T = TypeVar("_T", bound=Hashable)

_MOST: Final = 1024
"""Values that are remembered; where there are more, they are not in common."""


class SharedValues:
    """Gives the same object for equal values. Several threads may ask."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Hashable], Any] = {}

    def of(self, name: str, value: _T) -> _T:
        """The first of equal values that came under a name; values of one name are of one type.

        >>> shared = SharedValues()
        >>> shared.of("shape", (2, 3)) is shared.of("shape", (2, 3))
        True
        >>> shared.of("spacing", (2.0, 3.0))
        (2.0, 3.0)
        """
        found: _T = self._first(name, value, value)
        return found

    def vector(self, value: Vector) -> Vector:
        """The same of vectors, which cannot be written to from then on."""
        value.flags.writeable = False
        found: Vector = self._first("vector", value.tobytes(), value)
        return found

    def error(self, error: InvalidInput) -> InvalidInput:
        """The same of errors that say the same."""
        found: InvalidInput = self._first("error", (type(error), str(error)), error)
        return found

    def _first(self, name: str, key: Hashable, value: Any) -> Any:
        if len(self._known) < _MOST:
            return self._known.setdefault((name, key), value)
        return self._known.get((name, key), value)
