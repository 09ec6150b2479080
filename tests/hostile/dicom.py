"""DICOM files that lie, or are damaged."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from pydicom import uid

from tests.dicom_phantom import encoded, make_enhanced, make_series
from tests.hostile.hostile import Hostile, Outcome, body
from tests.zip_files import zipped_images

_PIXELS: Final = b"\xe0\x7f\x10\x00"
_UNREADABLE: Final = Outcome(422, "unreadable-volume")
_READ: Final = Outcome(202, "not-brain-mr")
"""Read, whatever it says beside its pixels, and no brain."""
_GEOMETRY: Final = Outcome(422, "unsupported-geometry")


def _series(**attributes: Any) -> bytes:
    return zipped_images(encoded(make_series(12, **attributes)))


def _first(change: Callable[[bytes], bytes], images: Sequence[bytes] | None = None) -> bytes:
    """A good series whose first file is damaged."""
    first, *others = images or encoded(make_series(12))
    return zipped_images([change(first), *others])


def _nested(content: bytes) -> bytes:
    """5000 sequences, each in the one before, none of which ends."""
    item = b"\x00\x52\x30\x92SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    at = content.index(_PIXELS)
    return content[:at] + item * 5000


def _enhanced(**attributes: Any) -> bytes:
    image = make_enhanced(make_series(12))
    for name, value in attributes.items():
        setattr(image, name, value)
    return zipped_images(encoded([image]))


_FILES: Final[dict[str, tuple[Callable[[], bytes], Outcome]]] = {
    "a preamble alone": (lambda: bytes(128) + b"DICM", _UNREADABLE),
    "pixels cut off": (lambda: _first(lambda content: content[:-40]), _UNREADABLE),
    "a header cut off, in a series that goes on": (lambda: _first(lambda content: content[:300]), _READ),
    "5000 sequences in each other": (lambda: _first(_nested), _UNREADABLE),
    "65 535 rows and columns, 126 bytes of pixels": (
        lambda: _series(Rows=65535, Columns=65535),
        _UNREADABLE,
    ),
    "100 000 frames, pixels of 12": (lambda: _enhanced(NumberOfFrames=100_000), _UNREADABLE),
    "−5 frames": (lambda: _enhanced(NumberOfFrames=-5), _UNREADABLE),
    "PixelSpacing 0": (lambda: _series(PixelSpacing=[0, 0]), _GEOMETRY),
    "PixelSpacing NaN": (lambda: _series(PixelSpacing=["NaN", "NaN"]), _UNREADABLE),
    "PixelSpacing 10³⁰⁸": (lambda: _series(PixelSpacing=["1e308", "1e308"]), _GEOMETRY),
    "an orientation of zeros": (lambda: _series(ImageOrientationPatient=[0] * 6), _GEOMETRY),
    "RescaleSlope NaN": (lambda: _series(RescaleSlope="NaN"), _UNREADABLE),
    "BitsAllocated 7": (lambda: _series(BitsAllocated=7), Outcome(202, "unreadable-volume")),
    "SamplesPerPixel 0": (lambda: _series(SamplesPerPixel=0), Outcome(422, "unusable-volume")),
    "deflated transfer syntax": (
        lambda: zipped_images(encoded(make_series(12), uid.DeflatedExplicitVRLittleEndian)),
        _READ,
    ),
    "CT": (lambda: _series(SOPClassUID=uid.CTImageStorage, Modality="CT"), Outcome(422, "not-brain-mr")),
    "a slice is missing": (
        lambda: zipped_images(content for k, content in enumerate(encoded(make_series(12))) if k != 5),
        Outcome(422, "irregular-slices"),
    ),
    "a sheared gantry": (
        lambda: _series(positions=[(0.0, 0.8 * k, 3.0 * k) for k in range(12)]),
        Outcome(422, "gantry-tilt"),
    ),
    "names with line breaks and escapes": (
        lambda: _series(PatientName="CANARY\r\n\x1b[31m^X", SeriesDescription="../../etc/passwd"),
        _READ,
    ),
    "an unknown character set": (lambda: _series(SpecificCharacterSet="ISO_IR 9999"), _READ),
    "a program's head in the preamble (`MZ`)": (
        lambda: _first(lambda content: b"MZ" + content[2:]),
        _READ,
    ),
}

INPUTS: Final = [Hostile("DICOM", what, body(make), expected) for what, (make, expected) in _FILES.items()]
