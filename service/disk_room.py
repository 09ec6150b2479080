"""Room on the disk for uploads under way: what was admitted and has not come yet counts as if it were there.

Each process knows its own uploads only; the watermark has to leave room for what others admit meanwhile.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from disyre.adapters.free_room import FreeRoom
from disyre.errors import StorageFull

_STEP_BYTES: Final = 4 * 2**20
"""Kept for a body that did not say how long it is, and again when they are used up."""
_MIN_FREE_FILES: Final = 256
"""Files and folders that must be left, which some jobs need; of an upload nobody knows how many it brings."""


@dataclass
class DiskRoom:
    """How much may still be admitted."""

    free: Callable[[], FreeRoom]
    min_free_bytes: int
    """Uploads must leave this much room."""
    _awaited_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_left(self) -> bool:
        """Whether the disk has as much room now as uploads must leave."""
        free = self.free()
        return free.n_bytes >= self.min_free_bytes and not _is_short_of_files(free)

    def check(self, n_bytes: int) -> None:
        """Raise StorageFull if there is no room for so many more bytes."""
        with self._lock:
            self._check(n_bytes)

    def reserve(self, n_bytes: int | None) -> "Reservation":
        """Keep room for so many bytes; None if nobody knows how many will come. Raises StorageFull."""
        with self._lock:
            if n_bytes is not None:
                self._check(n_bytes)
                self._awaited_bytes += n_bytes
        return Reservation(self, self.extend(1) if n_bytes is None else n_bytes)

    def extend(self, n_bytes: int) -> int:
        """Keep room for so many bytes and, if there is some, for those that may follow; returns for how many.

        Raises StorageFull.
        """
        with self._lock:
            kept_bytes = min(max(n_bytes, _STEP_BYTES), self._check(n_bytes))
            self._awaited_bytes += kept_bytes
        return kept_bytes

    def give_back(self, n_bytes: int) -> None:
        """So many bytes have come, or will not."""
        with self._lock:
            self._awaited_bytes -= n_bytes

    def _check(self, n_bytes: int) -> int:
        """How much room there is. Raises StorageFull if that is less than so many bytes."""
        free = self.free()
        room_bytes = free.n_bytes - self._awaited_bytes - self.min_free_bytes
        if room_bytes < n_bytes or _is_short_of_files(free):
            raise StorageFull("there is no room for more uploads now")
        return room_bytes


def _is_short_of_files(free: FreeRoom) -> bool:
    return free.n_files is not None and free.n_files < _MIN_FREE_FILES


class Reservation:
    """The room for one upload."""

    def __init__(self, room: DiskRoom, n_bytes: int) -> None:
        self._room = room
        self._awaited_bytes = n_bytes

    def expect(self, n_bytes: int) -> None:
        """So many bytes come next. Raises StorageFull if more come than were kept, and there is no room."""
        if n_bytes > self._awaited_bytes:
            self._awaited_bytes += self._room.extend(n_bytes - self._awaited_bytes)

    def use(self, n_bytes: int) -> None:
        """So many bytes that were expected are on the disk."""
        self._awaited_bytes -= n_bytes
        self._room.give_back(n_bytes)

    def end(self) -> None:
        """No more bytes will come."""
        self._room.give_back(self._awaited_bytes)
        self._awaited_bytes = 0
