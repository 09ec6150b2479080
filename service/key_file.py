"""The file of API keys, which is read again when it has changed: keys come and go without a restart."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from disyre.errors import Misconfigured
from service.caller import Caller
from service.keys import KeyEntry, KeyRing

logger = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 1.0
_Stamp: TypeAlias = tuple[int, int, int]
OnChange: TypeAlias = Callable[[str, KeyEntry | None], None]
"""Is told of each key that came or went (`add_key`, `remove_key`) and, of a wrong file, `keep_keys`."""


def ignore(what: str, entry: KeyEntry | None) -> None:
    """Be told, and do nothing."""


class KeyFile:
    """The keys in a file, as they are now. A file that cannot be read any more changes nothing."""

    def __init__(
        self, path: Path, *, clock_s: Callable[[], float] = time.monotonic, on_change: OnChange = ignore
    ) -> None:
        """Read the file. Raises Misconfigured if there is no key in it, or anything wrong with it."""
        self._path = path
        self._on_change = on_change
        self._clock_s = clock_s
        self._stamp, self._ring = _look(path), _read(path)
        self._looked_at = clock_s()

    def find(self, key: str) -> Caller | None:
        """Whose key this is; None if it is none."""
        if self._clock_s() - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = self._clock_s()
            self._read_if_changed()
        return self._ring.find(key, now=datetime.now(UTC))

    def _read_if_changed(self) -> None:
        stamp = _look(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        before = self._ring.key
        try:
            self._ring = _read(self._path)
        except Misconfigured as error:
            logger.error("the API keys stay as they were: %s", error)
            self._on_change("keep_keys", None)
            return
        now = self._ring.key
        logger.info("the API keys were read again: there are %d now", len(now))
        for what, entries, others in (("remove_key", before, now), ("add_key", now, before)):
            for entry in entries:
                if entry not in others:
                    self._on_change(what, entry)


def _look(path: Path) -> _Stamp | None:
    """What changes with a file; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> KeyRing:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"DISYRE_API_KEYS_FILE cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise Misconfigured("DISYRE_API_KEYS_FILE is no text") from None
    try:
        ring = KeyRing.parse(text)
        ring.check_names()
        return ring
    except Misconfigured as error:
        raise Misconfigured(f"wrong DISYRE_API_KEYS_FILE: {error}") from None
