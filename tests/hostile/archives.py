"""Zip archives that lie, bomb, or point elsewhere."""

import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Final

from tests.dicom_phantom import encoded, make_series
from tests.hostile.hostile import Hostile, Outcome, body
from tests.zip_files import zipped, zipped_images

_CENTRAL: Final = b"PK\1\2"
_LOCAL: Final = b"PK\3\4"
_UNUSABLE: Final = Outcome(422, "unusable-archive")
_TOO_LARGE: Final = Outcome(413, "too-large")
_READ: Final = Outcome(202, "not-brain-mr")
"""Read, whatever its members are called, and no brain."""
_NO_SCAN: Final = Outcome(415, "not-an-image")


def _patched(content: bytes, signature: bytes, offset: int, layout: str, value: int) -> bytes:
    """An archive with one number changed in every header of a kind."""
    out, at = bytearray(content), content.find(signature)
    while at >= 0:
        struct.pack_into(layout, out, at + offset, value)
        at = content.find(signature, at + 4)
    return bytes(out)


def _link() -> bytes:
    member = zipfile.ZipInfo("000001")
    member.external_attr = 0o120777 << 16
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, "/etc/passwd")
    return buffer.getvalue()


def _named(*names: str) -> bytes:
    """A good series whose members have names of the sender's choice."""
    images = encoded(make_series(12))
    return zipped({f"{names[k % len(names)]}{k}": image for k, image in enumerate(images)})


_FILES: Final[dict[str, tuple[Callable[[], bytes], Outcome]]] = {
    "10 MB of zeros in 10 kB": (lambda: zipped({"a": bytes(10_000_000)}), _TOO_LARGE),
    "zip in zip in zip": (lambda: zipped({"a": zipped({"b": zipped({"c": b"x"})})}), _UNUSABLE),
    "members that share their bytes": (
        lambda: _patched(zipped({"a": b"x" * 1000, "b": b"x" * 1000}), _CENTRAL, 42, "<I", 0),
        _UNUSABLE,
    ),
    "10 bytes declared, 1000 inflated": (
        lambda: _patched(
            _patched(zipped({"a": bytes(range(250)) * 4}), _CENTRAL, 24, "<I", 10), _LOCAL, 22, "<I", 10
        ),
        _UNUSABLE,
    ),
    "50 000 empty members": (lambda: zipped({str(n): b"" for n in range(50_000)}), _TOO_LARGE),
    "a link to /etc/passwd": (_link, _UNUSABLE),
    "a member with a password": (lambda: _patched(zipped({"a": b"x"}), _CENTRAL, 8, "<H", 1), _UNUSABLE),
    "a compression that nobody knows": (
        lambda: _patched(zipped({"a": b"x"}), _CENTRAL, 10, "<H", 99),
        _UNUSABLE,
    ),
    "cut off": (lambda: zipped({"a": b"x" * 1000})[:-30], _UNUSABLE),
    "a PDF with a zip behind it": (lambda: b"%PDF-1.7\n" + zipped({"a": b"x"}), _NO_SCAN),
    "nothing in it": (lambda: zipped({}), _NO_SCAN),
    "only texts in it": (lambda: zipped({"a.txt": b"text", "b.txt": b"more"}), _NO_SCAN),
    "names that climb out (`../../../etc/cron.d/x`)": (lambda: _named("../../../etc/cron.d/x"), _READ),
    "absolute names, backslashes, 5000 letters": (
        lambda: _named("/etc/x", "..\\..\\x", "n" * 5000),
        _READ,
    ),
    "two series in one archive": (
        lambda: zipped_images(encoded(make_series(12) + make_series(12, SeriesInstanceUID="1.2.3"))),
        Outcome(422, "multiple-volumes"),
    ),
}

INPUTS: Final = [Hostile("zip", what, body(make), expected) for what, (make, expected) in _FILES.items()]
