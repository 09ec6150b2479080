"""Messages of the libraries that read scans or fetch them: none reaches a log, as it may quote a header."""

import logging
import warnings
from typing import Final

_LOUD: Final = ("nibabel", "pydicom", "highdicom", "httpx", "httpcore", "py.warnings")
"""Loggers whose messages may quote what stands in the header of a scan, or an address with its UIDs."""


def silence_libraries() -> None:
    """Drop log messages and warnings of libraries in this process; for a program to call as it starts."""
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
