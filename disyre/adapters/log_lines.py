"""The log of a program: each line begins with its time, as ISO 8601 in UTC, and its level."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime


class LineFormatter(logging.Formatter):
    """Begins every line of a message alike, also those of a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a message."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        start = f"{at.removesuffix('+00:00')}Z {record.levelname} {record.name}: "
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
