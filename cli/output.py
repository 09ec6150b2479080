"""What a command prints on its standard output."""

import os
import sys
from contextlib import suppress


class OutputLost(Exception):
    """Nothing can be printed any more: the disk is full, or nobody reads."""


def put(line: str) -> None:
    """Print a line now. Raises OutputLost; what is printed from then on is nowhere."""
    try:
        print(line, flush=True)
    except OSError as error:
        _let_go()
        raise OutputLost(f"the output cannot be written: {error.strerror}") from error


def _let_go() -> None:
    """Have what is not written yet go nowhere; as it ends, Python would try to write it again."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
