"""Messages of the libraries that read scans: none of them reach a log, as they may quote a scan's header."""

import logging
import warnings
from typing import Final

_LOUD: Final = ("nibabel", "pydicom", "highdicom", "py.warnings")
"""Loggers whose messages may quote what stands in a scan's header."""


def silence_libraries() -> None:
    """Drop log messages and warnings of libraries in this process; for a program to call as it starts."""
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
