"""Room on the disk for uploads under way: what was admitted and has not come yet counts as if it were there.

Each process knows its own uploads only; the watermark has to leave room for what others admit meanwhile.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from disyre.errors import StorageFull

_LOOK_EVERY_BYTES: Final = 64 * 2**20
"""Of a body that did not say how long it is."""


@dataclass
class DiskRoom:
    """How much may still be admitted."""

    free_bytes: Callable[[], int]
    min_free_bytes: int
    """Uploads must leave this much room."""
    _awaited_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, n_bytes: int) -> None:
        """Raise StorageFull if there is no room for so many more bytes."""
        with self._lock:
            self._check(n_bytes)

    def reserve(self, n_bytes: int) -> "Reservation":
        """Keep room for so many bytes. Raises StorageFull."""
        with self._lock:
            self._check(n_bytes)
            self._awaited_bytes += n_bytes
        return Reservation(self, n_bytes)

    def give_back(self, n_bytes: int) -> None:
        """So many bytes have come, or will not."""
        with self._lock:
            self._awaited_bytes -= n_bytes

    def _check(self, n_bytes: int) -> None:
        if self.free_bytes() - self._awaited_bytes - n_bytes < self.min_free_bytes:
            raise StorageFull("there is no room for more uploads now")


class Reservation:
    """The room for one upload."""

    def __init__(self, room: DiskRoom, n_bytes: int) -> None:
        self._room = room
        self._awaited_bytes = n_bytes
        self._unlooked_bytes = 0

    def use(self, n_bytes: int) -> None:
        """So many bytes are on the disk. Raises StorageFull if more come than were said, and it is full."""
        awaited = min(n_bytes, self._awaited_bytes)
        self._awaited_bytes -= awaited
        self._room.give_back(awaited)
        self._unlooked_bytes += n_bytes - awaited
        if self._unlooked_bytes >= _LOOK_EVERY_BYTES:
            self._unlooked_bytes = 0
            self._room.check(0)

    def end(self) -> None:
        """No more bytes will come."""
        self._room.give_back(self._awaited_bytes)
        self._awaited_bytes = 0
