"""The files of two series of one upload, of which the second may be one that cannot be used."""

from collections.abc import Callable
from typing import Any

from pydicom import uid

from tests.dicom_phantom import encoded, make_series

GOOD, BAD = "1.2.840.1", "1.2.840.2"
SERIES_TAG = b"\x20\x00\x0e\x00UI"
"""How the SeriesInstanceUID begins in a file."""


def good(n_slices: int = 12, **attributes: Any) -> list[bytes]:
    return encoded(make_series(n_slices, SeriesInstanceUID=GOOD, **attributes))


def bad(n_slices: int = 12, syntax: uid.UID = uid.ExplicitVRLittleEndian, **attributes: Any) -> list[bytes]:
    return encoded(make_series(n_slices, SeriesInstanceUID=BAD, **attributes), syntax)


def with_one_cut(files: list[bytes], cut: Callable[[bytes], bytes]) -> list[bytes]:
    return [*files[:5], cut(files[5]), *files[6:]]
