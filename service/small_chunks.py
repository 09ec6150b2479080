"""Bodies in chunks of a byte or two, which cost a hundred times what they carry."""

from typing import Final

_MOST_SMALL: Final = 10_000
"""So many chunks of a body may be of any size."""
_LEAST_BYTES: Final = 64
"""As large the others are, on average."""


class SmallChunks:
    """Counts those of one body that come together; what comes alone has cost its sender as much as us."""

    def __init__(self) -> None:
        self._n_chunks = self._n_bytes = 0
        self._is_first = True

    def begin_block(self) -> None:
        """More was read from the connection."""
        self._is_first = True

    def take(self, n_bytes: int) -> bool:
        """A piece of the body came; whether there are too many now for what they carry."""
        self._n_bytes += n_bytes
        self._n_chunks += not self._is_first
        self._is_first = False
        return self._n_chunks > _MOST_SMALL + self._n_bytes // _LEAST_BYTES
