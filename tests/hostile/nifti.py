"""NIfTI files that lie, or are damaged."""

import gzip
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

import nibabel as nib
import numpy as np

from tests.hostile.hostile import Hostile, Outcome, body
from tests.nifti_files import nifti_bytes

_UNREADABLE: Final = Outcome(422, "unreadable-volume")
_READ: Final = Outcome(202, "not-brain-mr")
"""Read, whatever it says beside its voxels, and no brain."""
_GEOMETRY: Final = Outcome(422, "unsupported-geometry")


def _bomb() -> bytes:
    """256 MB of zeros behind a header of 60 voxels, a quarter of a megabyte when packed."""
    buffer = BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9) as file:
        file.write(nifti_bytes())
        for _ in range(256):
            file.write(bytes(2**20))
    return buffer.getvalue()


def _version_2(dims: list[int]) -> bytes:
    return nifti_bytes(image_class=nib.Nifti2Image, dim=dims)


def _noise(dtype: str = "i2") -> bytes:
    return nifti_bytes(np.random.default_rng(0).integers(0, 999, (48, 48, 48)).astype(dtype))


def _with_extension(size: int) -> bytes:
    """A header that announces an extension of a size that cannot be; nobody reads extensions."""
    content = nifti_bytes(
        np.random.default_rng(0).integers(0, 999, (48, 48, 48)).astype("i2"), vox_offset=368
    )
    return content[:348] + b"\1\0\0\0" + size.to_bytes(4, "little", signed=True) + bytes(12) + content[352:]


def _packed() -> bytes:
    return gzip.compress(nifti_bytes())


_FILES: Final[dict[str, tuple[Callable[[], bytes], Outcome]]] = {
    "gzip, 0.25 MB that inflates to 256 MB": (_bomb, _UNREADABLE),
    "the smaller half of a gzip": (lambda: _packed()[:80], _UNREADABLE),
    "a wrong checksum in gzip": (lambda: _packed()[:-8] + bytes(8), _UNREADABLE),
    "bytes behind the gzip": (lambda: _packed() + b"garbage", _UNREADABLE),
    "two gzip members": (lambda: _packed() + gzip.compress(b"more"), _UNREADABLE),
    "2⁴⁰ voxels along an axis (version 2)": (
        lambda: _version_2([3, 2**40, 4, 5, 1, 1, 1, 1]),
        Outcome(413, "too-large"),
    ),
    "2⁶⁴ voxels together (version 2)": (
        lambda: _version_2([3, 2**22, 2**21, 2**21, 1, 1, 1, 1]),
        Outcome(413, "too-large"),
    ),
    "an extension of −16 bytes": (lambda: _with_extension(-16), _READ),
    "an extension of 2 GB": (lambda: _with_extension(2**31 - 1), _READ),
    "white noise, byte-swapped": (lambda: _noise(">i2"), _READ),
    "voxels that are all NaN": (
        lambda: nifti_bytes(np.full((20, 20, 20), np.nan, np.float32)),
        Outcome(202, "non-finite-voxels"),
    ),
    "voxels that are all equal": (
        lambda: nifti_bytes(np.full((20, 20, 20), 7, np.int16)),
        Outcome(202, "empty-image"),
    ),
    "white noise": (_noise, _READ),
}
_HEADERS: Final[dict[str, tuple[dict[str, Any], Outcome]]] = {
    "32 767³ voxels": ({"dim": [3, 32767, 32767, 32767, 1, 1, 1, 1]}, Outcome(413, "too-large")),
    "seven axes of 32 767": ({"dim": [7] + [32767] * 7}, Outcome(413, "too-large")),
    "an axis of −4 voxels": ({"dim": [3, 3, -4, 5, 1, 1, 1, 1]}, _UNREADABLE),
    "−1 axes": ({"dim": [-1, 3, 4, 5, 1, 1, 1, 1]}, _UNREADABLE),
    "voxels that begin in the header": ({"vox_offset": 100}, _UNREADABLE),
    "voxels that begin at NaN": ({"vox_offset": np.nan}, _UNREADABLE),
    "voxels that begin at 10³⁰": ({"vox_offset": 1e30}, _UNREADABLE),
    "a slope of infinity": ({"scl_slope": np.inf}, _UNREADABLE),
    "complex voxels": ({"datatype": 32}, Outcome(422, "unusable-volume")),
    "a header of 12 345 bytes": ({"sizeof_hdr": 12345}, Outcome(415, "not-an-image")),
    "an sform of zeros": ({"srow_x": 0, "srow_y": 0, "srow_z": 0}, _GEOMETRY),
    "an origin of NaN": ({"srow_x": [1, 0, 0, np.nan]}, _GEOMETRY),
    "two equal axes": ({"srow_y": [1, 0, 0, 0]}, _GEOMETRY),
    "voxels of a metre": ({"srow_x": [1000, 0, 0, 0]}, _GEOMETRY),
}

INPUTS: Final = [
    *(Hostile("NIfTI", what, body(make), expected) for what, (make, expected) in _FILES.items()),
    *(
        Hostile("NIfTI", what, body(lambda fields=fields: nifti_bytes(**fields)), expected)  # type: ignore[misc]
        for what, (fields, expected) in _HEADERS.items()
    ),
]
