"""Where the real scans are that some tests read; those tests are skipped where there are none."""

import os
from pathlib import Path
from typing import Final

import pytest

_DEFAULT = Path(__file__).parents[2] / "shared" / "data"

VENDOR_CROPS: Final = (
    "generic/anatomical/001",
    "generic/anatomical/001_implicit",
    "generic/anatomical/002_non_isotropic",
    "generic/compressed/001",
    "generic/compressed_j2k/001",
    "generic/compressed_jpeg/001",
    "generic/compressed_jpegls/001",
    "generic/compressed_rle/001",
    "philips_enhanced/anatomical/001",
    "philips_enhanced/anatomical/001_implicit",
    "siemens_multiframe/anatomical/001",
)
"""Folders below `geometry/vendor_crops`: crops of the files of several vendors, each of one scan."""


def real_data(name: str) -> Path:
    """A file or folder below `DISYRE_TEST_DATA`; skips the test if it is not there."""
    path = Path(os.environ.get("DISYRE_TEST_DATA", _DEFAULT)) / name
    if not path.exists():
        pytest.skip(f"no real data here: {name}")
    return path
