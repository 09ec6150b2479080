"""`disyre keys new`: a key for someone who is to use the API."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from disyre.errors import Misconfigured
from service.keys import KeyRing, make_entry, new_key

FILE_VARIABLE: Final = "DISYRE_API_KEYS_FILE"
_MODE: Final = 0o600


def new(name: str, *, scopes: Sequence[str], file: Path | None, not_after: datetime | None = None) -> int:
    """Make a key, print it, and add what is stored of it to a file. Raises Misconfigured."""
    if not_after is not None and not_after <= datetime.now(UTC):
        raise Misconfigured(f"expected a key to end in the future, got {not_after.isoformat()}")
    file = file or _file_of_the_api()
    key = new_key()
    added = make_entry(name, scopes, key=key, not_after=not_after).as_toml()
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        _check(before + "\n" + added, file)
        _append(file, "\n" + added if before else added)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Misconfigured(
            f"expected a file of API keys that can be written, got {file}: {reason}"
        ) from error
    print(key)
    print(f"disyre: added to {file}; this is the only time that the key is shown", file=sys.stderr)
    return 0


def _file_of_the_api() -> Path:
    try:
        return Path(os.environ[FILE_VARIABLE])
    except KeyError:
        raise Misconfigured(
            f"expected a file of keys, as --file or in {FILE_VARIABLE}, got neither"
        ) from None


def _check(text: str, file: Path) -> None:
    try:
        KeyRing.parse(text)
    except Misconfigured as error:
        raise Misconfigured(f"{file}: {error}") from None


def _append(file: Path, text: str) -> None:
    """Add to a file in one step, and in place: a container that has it mounted would not see another."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
