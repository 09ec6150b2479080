"""`disyre keys`: the keys of those who are to use the API are made, listed and revoked."""

import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cli.output import put
from cli.parser import NAMES
from disyre.errors import Misconfigured
from disyre.wording import counted
from service.caller import Scope
from service.keys import OWN_NAME, KeyEntry, KeyRing, make_entry, new_key

FILE_VARIABLE: Final = "DISYRE_API_KEYS_FILE"
_HEADINGS: Final = ("NAME", "ID", "SCOPES", "END")
_MODE: Final = 0o600
"""Of the SHA-256 of a key: they tell keys of one name apart."""
_ENTRY: Final = re.compile(r"^(?=\s*\[\[)", re.MULTILINE)
"""Where an entry of the file begins."""


def mistake_in(name: str, scopes: Sequence[str], not_after: datetime | None) -> str | None:
    """What of a wished key is none, in words for whoever typed it; None if all is well."""
    unknown = [scope for scope in scopes if scope not in set(Scope)]
    if unknown:
        return f"expected --scopes of {', '.join(Scope)}, got {unknown[0]!r}"
    if not_after is not None and not_after <= datetime.now(UTC):
        return f"expected --not-after to be in the future, got {not_after.isoformat()}"
    if name == OWN_NAME:
        jobs = "whose jobs are those that were sent without a key"
        return f"expected NAME to be another than {OWN_NAME!r}, {jobs}"
    try:
        make_entry(name, scopes, key="")
    except Misconfigured:
        return f"expected NAME to be {NAMES}, got {name!r}"
    return None


def new(name: str, *, scopes: Sequence[str], file: Path | None, not_after: datetime | None = None) -> int:
    """Make a key, print it, and add what is stored of it to a file. Raises Misconfigured."""
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
    put(key)
    print(f"disyre: added to {file}; this is the only time that the key is shown", file=sys.stderr)
    return 0


def show(*, file: Path | None) -> int:
    """Print a table of the keys: name, id, scopes and end. Raises Misconfigured."""
    now = datetime.now(UTC)
    rows = [_HEADINGS]
    for entry in _keys(_read(file or _file_of_the_api())):
        end = "does not end" if entry.not_after is None else f"ends {entry.not_after.isoformat()}"
        if entry.not_after is not None and entry.not_after <= now:
            end = f"ended {entry.not_after.isoformat()}"
        rows.append((entry.name, entry.id, ",".join(sorted(entry.scopes)), end))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        put("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())
    return 0


def revoke(name: str, *, key_id: str | None, file: Path | None) -> int:
    """Take the keys of a name out of a file, or the one that `key_id` begins. Raises Misconfigured."""
    file = file or _file_of_the_api()
    text = _read(file)
    keys = _keys(text)
    gone = [key for key in keys if key.name == name and key.sha256.startswith(key_id or "")]
    if not gone:
        asked = f"a key of the name '{name}'{f' and the id {key_id}' if key_id else ''}"
        raise Misconfigured(f"expected {asked} in {file}, got none")
    left = tuple(key for key in keys if key not in gone)
    if not left:
        raise Misconfigured(
            f"expected a key to be left in {file}, got none: an API keeps its keys where a file has none, so "
            "make another one first"
        )
    _rewrite(file, _without(text, gone, left))
    told = ", ".join(key.id for key in gone)
    put(f"revoked {counted(len(gone), 'key')} of {name} ({told}); {len(left)} left in {file}")
    return 0


def _keys(text: str) -> tuple[KeyEntry, ...]:
    return KeyRing.parse(text).key


def _read(file: Path) -> str:
    """The text of a file of keys. Raises Misconfigured."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Misconfigured(f"expected a file of API keys, got {file}: {reason}") from error
    _check(text, file)
    return text


def _without(text: str, gone: Sequence[KeyEntry], left: tuple[KeyEntry, ...]) -> str:
    """The text without some entries; what stands before and between the others stays if it can."""
    parts = [part for part in _ENTRY.split(text) if not any(key.sha256 in part for key in gone)]
    kept = "".join(parts)
    try:
        if _keys(kept) == left:
            return kept
    except Misconfigured:  # keys that are written in another way, such as in one line
        pass
    return "\n".join(key.as_toml() for key in left)


def _rewrite(file: Path, text: str) -> None:
    """Replace what is in a file, and nothing of the file itself. Raises Misconfigured.

    In place, with its mode: a container that has it mounted would not see another, and go on taking what
    was revoked. Whoever reads meanwhile finds what was there, or a mistake, which changes nothing there.
    The new text is on the disk beside it before, and stays there if this process ends in between.
    """
    whole, beside = text.encode(), file.with_name(f"{file.name}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
        _write(descriptor, whole)
        _write(os.open(file, os.O_WRONLY), whole)
        beside.unlink()
    except OSError as error:
        raise Misconfigured(
            f"expected a file of API keys that can be written, got {file}: {error.strerror}"
        ) from error


def _write(descriptor: int, content: bytes) -> None:
    """Have a file hold this and nothing else, and the disk hold the file; closes it."""
    try:
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
