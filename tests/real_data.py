"""Where the real scans are that some tests read; those tests are skipped where there are none."""

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).parents[2] / "shared" / "data"


def real_data(name: str) -> Path:
    """A file or folder below `DISYRE_TEST_DATA`; skips the test if it is not there."""
    path = Path(os.environ.get("DISYRE_TEST_DATA", _DEFAULT)) / name
    if not path.exists():
        pytest.skip(f"no real data here: {name}")
    return path
