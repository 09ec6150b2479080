"""The log of a program: each line begins with its time, as ISO 8601 in UTC, and its level."""

import logging
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

_IDS: Final[ContextVar[str]] = ContextVar("ids", default="")
"""What the lines of this context begin with."""


@contextmanager
def log_about(**ids: str | None) -> Iterator[None]:
    """Name these ids in each line that is written in a block, and in threads with its context."""
    named = " ".join(f"{name}={value}" for name, value in ids.items() if value is not None)
    token = _IDS.set(f"[{named}] " if named else "")
    try:
        yield
    finally:
        _IDS.reset(token)


def where(error: BaseException) -> str:
    """What kind of error it is and where it came from, without its message: that may hold what a file did."""
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return f"{type(error).__name__}\n{frames}"


class LineFormatter(logging.Formatter):
    """Begins every line of a message alike, also those of a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a message."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        start = f"{at.removesuffix('+00:00')}Z {record.levelname} {record.name}: {_IDS.get()}"
        return "\n".join(start + line for line in super().format(record).splitlines())


def write_log_lines(taken_over: Iterable[str] = ()) -> None:
    """Have this process write its log so, to stderr; for a program to call as it starts.

    `taken_over` are loggers of libraries that would write for themselves.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in taken_over:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
