"""Libraries that read scans or fetch them, silenced."""

import logging
import warnings
from collections.abc import Iterator

import pytest

from disyre.adapters.library_messages import silence_libraries

LOGGERS = ("nibabel", "pydicom", "highdicom", "httpx", "httpcore", "py.warnings")


@pytest.fixture
def unchanged_process() -> Iterator[None]:
    """Everything is as it was at the end."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    with warnings.catch_warnings():
        yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("unchanged_process")
def test_neither_warnings_nor_messages_of_libraries_are_shown_but_ours_are() -> None:
    silence_libraries()

    warnings.warn("Unknown encoding 'ZZCANARY'", UserWarning, stacklevel=1)  # an error in any other test
    assert not any(logging.getLogger(name).isEnabledFor(logging.CRITICAL) for name in LOGGERS)
    assert logging.getLogger("service.app").isEnabledFor(logging.WARNING)
