"""How many files and connections the process may have open at a time."""

import resource
from contextlib import suppress
from typing import Final

_OTHERS: Final = 100
"""What is open beside connections and what they bring: the broker, threads, libraries, the audit log."""
_OF_ONE: Final = 3
"""A connection that sends a scan has a file and the lock of its folder open; of a result, a file twice."""


def raise_limit() -> int:
    """Have as many files open as the system lets this process, which may be told to begin with fewer."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # a container may let nobody change it
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def most_connections(wanted: int, n_files: int) -> int:
    """As many connections as are wanted, or as the files suffice for, were each to send a scan.

    >>> most_connections(2000, 524_288), most_connections(2000, 1024)
    (2000, 308)
    """
    return wanted if n_files < 0 else max(1, min(wanted, (n_files - _OTHERS) // _OF_ONE))
