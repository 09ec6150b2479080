"""Names of files in an upload: only whether one is named as the images beside it are.

A file that is empty or cannot be read, and is named so, was most likely a slice. Names are never shown, kept
or written anywhere.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

_EXTENSIONS: Final = frozenset({".dcm", ".dicom", ".ima"})
"""Of DICOM images, by custom."""
_PREAMBLE_BYTES: Final = 128
"""In front of the magic of DICOM."""
_OF_A_SYSTEM: Final = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class NamedFile:
    """A file, and what it is called where it lay."""

    name: str = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class NamedPieces:
    """A file whose content comes in pieces, and what it is called where it lay."""

    name: str = field(repr=False)
    size_bytes: int
    pieces: Callable[[], Iterator[bytes]] = field(repr=False)
    """Gives the content from its beginning; raises at its end if it is not whole."""


def is_of_a_system(name: str) -> bool:
    """Whether a file is one that an operating system leaves in folders.

    >>> is_of_a_system("__MACOSX/S/._0001.dcm"), is_of_a_system("S/.DS_Store"), is_of_a_system("S/0001.dcm")
    (True, True, False)
    """
    *folders, last = name.replace("\\", "/").lower().split("/")
    return last.startswith(".") or last in _OF_A_SYSTEM or "__macosx" in folders


@dataclass
class LostSlices:
    """Counts, among files that are no image, those that may have been one."""

    _images: list[str] = field(default_factory=list, repr=False)
    _others: list[str] = field(default_factory=list, repr=False)
    _n_hollow: int = 0

    def note(self, name: str, start: bytes, *, is_image: bool) -> None:
        """Remember a file. One without a name counts if a broken transfer left nothing, or zeros, of it."""
        if is_image:
            self._images.append(name)
        elif name:
            self._others.append(name)
        else:
            self._n_hollow += not any(start[:_PREAMBLE_BYTES])

    @property
    def n(self) -> int:
        """How many files may have been slices."""
        return self._n_hollow + n_named_as_images(self._others, self._images)


def n_named_as_images(names: Iterable[str], images: Iterable[str]) -> int:
    """How many of some files are named as images are: by custom, or as those that came, but for digits.

    >>> n_named_as_images(["S/IM0046", "S/readme", "x.dcm", "S/.DS_Store"], ["S/IM0001"])
    2
    """
    shapes, extensions = set(), set(_EXTENSIONS)
    for image in images:
        shapes.add(_without_digits(image))
        extensions.add(_extension(image))
    extensions.discard("")
    return sum(
        not is_of_a_system(name) and (_without_digits(name) in shapes or _extension(name) in extensions)
        for name in names
    )


def _without_digits(name: str) -> str:
    return re.sub(r"[0-9]+", "0", name.lower())


def _extension(name: str) -> str:
    """The end of a name if it is one; what ends in a number is none."""
    suffix = PurePosixPath(name.lower()).suffix
    return "" if suffix[1:].isdigit() else suffix
