"""DICOM files that lie, or are damaged."""

import struct
import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, Final

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom import config, uid
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite

from tests.dicom_phantom import encoded, make_enhanced, make_series
from tests.hostile.hostile import Hostile, Outcome, body
from tests.zip_files import zipped, zipped_images

_PIXELS: Final = b"\xe0\x7f\x10\x00"
_MANY: Final = 32 * 2**20
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


def _long_pixels(content: bytes) -> bytes:
    """The image with 32 MB of pixels, as their element says, but not the rest of the header."""
    at = content.index(_PIXELS)
    return content[: at + 8] + _MANY.to_bytes(4, "little") + bytes(_MANY)


def _with_private(content: bytes) -> bytes:
    """The image with 32 MB in a private element in front of its pixels."""
    at = content.index(_PIXELS)
    private = b"\x2f\x00\x01\x10OB\0\0" + _MANY.to_bytes(4, "little") + bytes(_MANY)
    return content[:at] + private + content[at:]


def _wide_rows(content: bytes) -> bytes:
    """The image with a number of 32 bits, 2³⁰, as its Rows."""
    rows = struct.pack("<H", make_series(1)[0].Rows)
    before = b"\x28\0\x10\0US\x02\0" + rows
    return content.replace(before, b"\x28\0\x10\0UL\x04\0" + struct.pack("<I", 2**30))


def _with_paths() -> bytes:
    """A good series whose UIDs are paths."""
    series = make_series(12, SeriesInstanceUID="1.2.99.99")
    for k, image in enumerate(series):
        image.SOPInstanceUID = f"1.2.3.4.5.6.7.8.9.1.2.1{k:02}"
    paths = {b"1.2.99.99": b"../../etc", b"1.2.3.4.5.6.7.8.9.1.2.1": b"../../../../etc/cron.d/"}
    images = encoded(series)
    for uid_there, path in paths.items():
        assert all(uid_there in image for image in images)
        images = [image.replace(uid_there, path) for image in images]
    return zipped_images(images)


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
    "32 MB of pixels where the header says less": (
        lambda: _long_pixels(encoded(make_series(12))[0]),
        _UNREADABLE,
    ),
    "32 MB in a private element of one image": (
        lambda: _with_private(encoded(make_series(12))[0]),
        Outcome(422, "too-few-slices"),
    ),
    "2³⁰ rows, as a number of 32 bits": (lambda: _first(_wide_rows), _UNREADABLE),
    "100 000 frames, pixels of 12": (lambda: _enhanced(NumberOfFrames=100_000), _UNREADABLE),
    "−5 frames": (lambda: _enhanced(NumberOfFrames=-5), _UNREADABLE),
    "PixelSpacing 0": (lambda: _series(PixelSpacing=[0, 0]), _GEOMETRY),
    "PixelSpacing NaN": (lambda: _series(PixelSpacing=["NaN", "NaN"]), _UNREADABLE),
    "PixelSpacing 10³⁰⁸": (lambda: _series(PixelSpacing=["1e308", "1e308"]), _GEOMETRY),
    "an orientation of zeros": (lambda: _series(ImageOrientationPatient=[0] * 6), _GEOMETRY),
    "RescaleSlope NaN": (lambda: _series(RescaleSlope="NaN"), _UNREADABLE),
    "BitsAllocated 7": (lambda: _series(BitsAllocated=7), _UNREADABLE),
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
    "UIDs that climb out (`../../../../etc/cron.d/x`)": (_with_paths, _READ),
    "an unknown character set": (lambda: _series(SpecificCharacterSet="ISO_IR 9999"), _READ),
    "a program's head in the preamble (`MZ`)": (
        lambda: _first(lambda content: b"MZ" + content[2:]),
        _READ,
    ),
}


def _frame(syntax: uid.UID, frame: bytes | bytearray, **attributes: Any) -> bytes:
    """A series in which each image has the same compressed frame, whatever its header says of it."""
    series = make_series(12, **attributes)
    for image in series:
        image.PixelData = encapsulate([bytes(frame)])
        image["PixelData"].is_undefined_length = True
        image.file_meta.TransferSyntaxUID = syntax
    return zipped_images(map(_written, series))


def _written(image: FileDataset) -> bytes:
    content = BytesIO()
    dcmwrite(content, image, enforce_file_format=True)
    return content.getvalue()


def _rle(n_bytes: int) -> bytes:
    """As many zeros in each of the two segments of a frame, in runs of 128."""
    run = b"\x81\0" * (n_bytes // 128)
    return struct.pack("<16I", 2, 64, 64 + len(run), *[0] * 13) + run * 2


def _zeros(side: int) -> npt.NDArray[np.uint16]:
    return np.zeros((side, side), np.uint16)


def _of_size(stream: bytes | bytearray, side: int) -> bytes:
    """A JPEG 2000 that says of itself that it has so many rows and columns."""
    at = stream.index(b"\xff\x51") + 6
    return bytes(stream[:at] + struct.pack(">2I", side, side) + stream[at + 8 :])


def _implicit(tag: bytes, content: bytes) -> bytes:
    """A good series, implicit VR, whose first file has a long element in the place of a good one."""
    first, *others = encoded(make_series(12), uid.ImplicitVRLittleEndian)
    at = first.index(tag, 132)
    (length,) = struct.unpack_from("<I", first, at + 4)
    element = tag + struct.pack("<I", len(content)) + content
    images = [first[:at] + element + first[at + 8 + length :], *others]
    return zipped({str(k): image for k, image in enumerate(images)}, zipfile.ZIP_STORED)


def _many_elements() -> bytes:
    """300 000 private elements behind the image."""
    pad = b"".join(struct.pack("<HHI", 0x7FE1, 0x1000 + k % 0xEFFF, 0) for k in range(300_000))
    images = encoded(make_series(12), uid.ImplicitVRLittleEndian)
    return zipped_images([images[0] + pad, *images[1:]])


def _with_an_index() -> bytes:
    """A series beside a DICOMDIR that names a file elsewhere."""
    index = make_series(1)[0]
    for name in ("PixelData", "Rows", "Columns"):
        delattr(index, name)
    index.file_meta.MediaStorageSOPClassUID = index.SOPClassUID = uid.MediaStorageDirectoryStorage
    record = Dataset()
    with config.disable_value_validation():
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", ["..", "..", "ETC", "PASSWD"]
    index.DirectoryRecordSequence = [record]
    return zipped(
        {"DICOMDIR": encoded([index])[0], **{str(k): c for k, c in enumerate(encoded(make_series(12)))}}
    )


def _told(syntax: str) -> bytes:
    """A series that says that it is of another transfer syntax."""
    images = make_series(12)
    old, new = uid.ExplicitVRLittleEndian.encode(), syntax.encode()
    return zipped_images(_relabelled(content, old, new) for content in encoded(images))


def _relabelled(content: bytes, old: bytes, new: bytes) -> bytes:
    """The same bytes with another TransferSyntaxUID, and the length of the group of the header."""
    element = b"\x02\0\x10\0UI"
    old, new = old + bytes(len(old) % 2), new + bytes(len(new) % 2)
    before = element + struct.pack("<H", len(old)) + old
    group = b"\x02\0\0\0UL\x04\0"
    at = content.index(group) + len(group)
    (length,) = struct.unpack_from("<I", content, at)
    content = content[:at] + struct.pack("<I", length + len(new) - len(old)) + content[at + 4 :]
    return content.replace(before, element + struct.pack("<H", len(new)) + new)


_SYNTAX: Final = Outcome(422, "unsupported-transfer-syntax")
_CODECS: Final[dict[str, tuple[Callable[[], bytes], Outcome]]] = {
    "RLE: runs of zeros, 16 000 rows and columns": (
        lambda: _frame(uid.RLELossless, _rle(16_000**2 // 64), Rows=16_000, Columns=16_000),
        Outcome(413, "too-large"),
    ),
    "RLE: a segment 1000 times as long as its image": (
        lambda: _frame(uid.RLELossless, _rle(64_000)),
        Outcome(202, "empty-image"),
    ),
    "JPEG 2000: 9000 rows and columns of zeros": (
        lambda: _frame(
            uid.JPEG2000Lossless,
            imagecodecs.jpeg2k_encode(_zeros(9000), reversible=True),
            Rows=9000,
            Columns=9000,
        ),
        Outcome(413, "too-large"),
    ),
    "JPEG 2000: 2000 rows and columns in an image of 7 by 9": (
        lambda: _frame(uid.JPEG2000Lossless, imagecodecs.jpeg2k_encode(_zeros(2000), reversible=True)),
        _UNREADABLE,
    ),
    "JPEG 2000: 60 000 rows and columns in its own head": (
        lambda: _frame(
            uid.JPEG2000Lossless,
            _of_size(imagecodecs.jpeg2k_encode(_zeros(9), codecformat="j2k", reversible=True), 60_000),
        ),
        _UNREADABLE,
    ),
    "JPEG-LS: 9000 rows and columns of zeros": (
        lambda: _frame(uid.JPEGLSLossless, imagecodecs.jpegls_encode(_zeros(9000)), Rows=9000, Columns=9000),
        Outcome(413, "too-large"),
    ),
    "JPEG-LS: 2000 rows and columns in an image of 7 by 9": (
        lambda: _frame(uid.JPEGLSLossless, imagecodecs.jpegls_encode(_zeros(2000))),
        _UNREADABLE,
    ),
    "an InstanceNumber of 65 534 digits": (
        lambda: _implicit(b"\x20\0\x13\0", b"9" * 65_534),
        _READ,
    ),
    "2.5 million numbers as PixelSpacing": (
        lambda: _implicit(b"\x28\0\x30\0", b"1\\" * 2_500_000),
        _UNREADABLE,
    ),
    "300 000 elements": (_many_elements, _READ),
    "a DICOMDIR that leads elsewhere": (_with_an_index, _READ),
    "a private transfer syntax": (lambda: _told("1.2.840.113619.5.2"), _SYNTAX),
    "little-endian that is called big-endian": (lambda: _told("1.2.840.10008.1.2.2"), _UNREADABLE),
    "a transfer syntax of video": (lambda: _told("1.2.840.10008.1.2.4.102"), _SYNTAX),
    "no preamble": (
        lambda: zipped_images(content[132:] for content in encoded(make_series(12))),
        Outcome(415, "not-an-image"),
    ),
}

INPUTS: Final = [
    Hostile("DICOM", what, body(make), expected) for what, (make, expected) in (_FILES | _CODECS).items()
]
