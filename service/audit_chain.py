"""The chain of the audit log: each line has the SHA-256 of the one before it, also over the end of a file.

So a line that was changed, taken out or put in is found: `python -m service.audit_chain FOLDER`.

Whoever may write to the files can make the whole chain anew from a line on, and can cut off its end. The head
that is printed (the hash of the last line), kept elsewhere, tells that too.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from errno import ENOENT
from itertools import groupby
from pathlib import Path
from typing import Final

from disyre.wording import counted

FIRST: Final = "0" * 64
"""What the first line of all has in the place of a hash."""
FILE_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\d)-(.+)\.jsonl")
_CHUNK_BYTES: Final = 4096


@dataclass
class Verdict:
    """What was found in a folder."""

    n_lines: int = 0
    n_unchained: int = 0
    """From before there was a chain: nobody can tell whether they are as they were."""
    breaks: list[str] = field(default_factory=list)
    """In words, where the chain is broken."""
    heads: dict[str, str] = field(default_factory=dict)
    """The last hash, by machine."""


def hash_of(line: bytes) -> str:
    """What the line after this one has; the line without its end."""
    return hashlib.sha256(line).hexdigest()


@dataclass(frozen=True)
class LastLine:
    """Where a chain goes on."""

    hash: str
    is_whole: bool
    """Whether the file ends with the end of a line, or has none."""


def last_line(path: Path, *, host: str) -> LastLine:
    """The last line that a machine has written: in this file, or, if it is empty, in the one before."""
    end = _tail(path)
    is_whole = not end or end.endswith(b"\n")
    for earlier in reversed(_files_of(path.parent, host)) if not end else ():
        end = end or (_tail(earlier) if earlier.name < path.name else b"")
    return LastLine(hash_of(end.removesuffix(b"\n").rpartition(b"\n")[2]) if end else FIRST, is_whole)


def verify(folder: Path) -> Verdict:
    """Follow the chains of all machines. Raises OSError, also if there is no log."""
    verdict = Verdict()
    paths = sorted((path for path in folder.iterdir() if FILE_NAME.fullmatch(path.name)), key=_host_and_day)
    if not paths:
        raise FileNotFoundError(ENOENT, "no file of an audit log in it")
    for host, of_host in groupby(paths, key=lambda path: _host_and_day(path)[0]):
        _follow(list(of_host), host, verdict)
    return verdict


def report(folder: Path) -> int:
    """Write to stdout what was found; an exit status: 0 if no chain is broken."""
    try:
        verdict = verify(folder)
    except OSError as error:
        sys.stderr.write(f"disyre: expected the folder of an audit log, got {folder}: {error.strerror}\n")
        return 2
    chained = counted(verdict.n_lines - verdict.n_unchained, "line")
    total = f"{chained} chained, {len(verdict.breaks)} broken, {verdict.n_unchained} from before"
    heads = [f"head of {host}: {head}" for host, head in verdict.heads.items()]
    sys.stdout.write("".join(f"{line}\n" for line in (*verdict.breaks, total, *heads)))
    return 1 if verdict.breaks else 0


def _follow(paths: list[Path], host: str, verdict: Verdict) -> None:
    expected, is_chained = None, False
    for path in paths:
        for number, line in enumerate(_lines(path), start=1):
            verdict.n_lines += 1
            previous = _previous(line)
            if previous is None and not is_chained:
                verdict.n_unchained += 1
            elif previous is None:
                verdict.breaks.append(f"{path.name}, line {number}: damaged, or put in")
            elif expected is not None and previous != expected:
                verdict.breaks.append(
                    f"{path.name}, line {number}: the line before it was changed, taken out or put in"
                )
            is_chained = is_chained or previous is not None
            expected = hash_of(line)
    if expected is not None:
        verdict.heads[host] = expected


def _previous(line: bytes) -> str | None:
    """The hash that a line has of the one before it; None if it has none, or is no line of the log."""
    try:
        document = json.loads(line)
    except ValueError:
        return None
    previous = document.get("previous") if isinstance(document, dict) else None
    return previous if isinstance(previous, str) else None


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            yield line.removesuffix(b"\n")


def _tail(path: Path) -> bytes:
    """The end of a file, with its last line at least; nothing, if it has none."""
    with path.open("rb") as file:
        left, tail = file.seek(0, 2), b""
        while left and b"\n" not in tail[:-1]:
            size = min(_CHUNK_BYTES, left)
            left -= size
            file.seek(left)
            tail = file.read(size) + tail
    return tail


def _files_of(folder: Path, host: str) -> list[Path]:
    return sorted(path for path in folder.glob("*.jsonl") if _host_and_day(path)[0] == host)


def _host_and_day(path: Path) -> tuple[str, str]:
    match = FILE_NAME.fullmatch(path.name)
    return (match[2], match[1]) if match else ("", "")


if __name__ == "__main__":
    sys.exit(report(Path(sys.argv[1])))
