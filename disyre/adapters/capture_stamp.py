"""What is written on each picture of a scan in colour: sides of the patient on it, all else in a strip below.

The strip has lines for what the picture is for, what made it, what the colours mean and what is warned of. It
is added below the slice, so that the first pixel stays where it was, and no word lies on anatomy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from disyre.adapters.derived_dicom import RESEARCH_USE
from disyre.adapters.map_colours import COLOURS, MOST, MapColours
from disyre.wording import counted

PALETTE: Final[npt.NDArray[np.uint8]] = COLOURS(np.arange(256), bytes=True)[:, :3]
"""Colours of the map, from the threshold up."""

_LINES: Final = 34
"""Lines of text that would fill a picture."""
_LEAST_SIZE: Final = 10
_WARNING_LINES: Final = 4
_LETTERS: Final = (("L", "R"), ("P", "A"), ("H", "F"))
"""Of each axis of the world (LPS): where it leads, and where it comes from."""
_GREY: Final = (220, 220, 220)
_AMBER: Final = (255, 194, 77)
_Colour = tuple[int, int, int]


class CaptureStamp:
    """Puts letters on pictures of one size, and a strip below them."""

    def __init__(
        self,
        shape: tuple[int, int],
        orientation: tuple[float, ...],
        model: str,
        colours: MapColours,
        warnings: Sequence[str],
    ) -> None:
        """`shape` is (columns, rows); `orientation` is that of the slices (LPS), of rows and of columns."""
        size = max(_LEAST_SIZE, max(shape) // _LINES)
        self._letters = _letters(shape, ends_of(orientation), size)
        self._strip = np.asarray(_Strip(shape[0], size).drawn(model, colours, warnings))

    def on(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """A picture with it, (row, column, 3); it has more rows."""
        under = Image.fromarray(picture)
        under.paste(self._letters, mask=self._letters)
        return np.concatenate([np.asarray(under), self._strip])

    @property
    def n_rows(self) -> int:
        """Of the strip."""
        return int(self._strip.shape[0])


def ends_of(orientation: tuple[float, ...]) -> tuple[str, str, str, str]:
    """Which side of the patient is at the left, right, top and bottom of an image.

    >>> ends_of((1.0, 0.0, 0.0, 0.0, 0.0, -1.0))
    ('R', 'L', 'H', 'F')
    """
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    return _side(-along_row), _side(along_row), _side(-along_column), _side(along_column)


def _side(direction: npt.NDArray[np.float64]) -> str:
    axis = int(np.abs(direction).argmax())
    return _LETTERS[axis][0 if direction[axis] > 0 else 1]


def _letters(shape: tuple[int, int], ends: tuple[str, str, str, str], size: int) -> Image.Image:
    (columns, rows), edge = shape, size // 2
    ink = Image.new("RGBA", shape)
    draw, font = ImageDraw.Draw(ink), ImageFont.load_default(size)
    places = (
        (edge, rows / 2, "lm"),
        (columns - edge, rows / 2, "rm"),
        (columns / 2, edge, "ma"),
        (columns / 2, rows - edge, "md"),
    )
    for text, (x, y, anchor) in zip(ends, places, strict=True):
        draw.text((x, y), text, anchor=anchor, font=font, fill=_GREY, stroke_width=1, stroke_fill=(0, 0, 0))
    return ink


@dataclass(frozen=True)
class _Row:
    """A line of text: at the left, at the right, or both."""

    left: str = ""
    right: str = ""
    colour: _Colour = _GREY
    """Of what is at the left."""


class _Strip:
    """Lines of text on black, as wide as the picture above."""

    def __init__(self, columns: int, size: int) -> None:
        self._columns = columns
        self._size = size
        self._line = round(1.4 * size)
        self._edge = size // 2
        self._font = ImageFont.load_default(size)

    def drawn(self, model: str, colours: MapColours, warnings: Sequence[str]) -> Image.Image:
        """What for and what made it, colours and what they mean, and what is warned of."""
        first = self._ends(_Row(RESEARCH_USE, f"disyre {model}", _AMBER))
        lowest, highest = (_limit(n, colours.threshold) for n in (1, MOST))
        limits = self._ends(_Row(lowest, highest))
        warned = [_Row(line, colour=_AMBER) for line in self._warned(warnings)]
        bar = self._edge + self._line * len(first)
        below = bar + self._size
        last = below + self._line * len(limits) + self._edge
        ink = Image.new("RGB", (self._columns, last + self._line * len(warned)))
        draw = ImageDraw.Draw(ink)
        self._bar(draw, bar)
        for top, rows in ((self._edge, first), (below, limits), (last, warned)):
            self._write(draw, top, rows)
        return ink

    def _ends(self, row: _Row) -> list[_Row]:
        """Both ends in one line, or below each other where it has no room for them."""
        if self._fits(f"{row.left}    {row.right}"):
            return [row]
        left = [_Row(line, colour=row.colour) for line in self._wrapped(row.left)]
        return [*left, *map(_Row, self._wrapped(row.right))]

    def _write(self, draw: ImageDraw.ImageDraw, top: int, rows: Sequence[_Row]) -> None:
        right = self._columns - self._edge
        for number, row in enumerate(rows):
            y = top + number * self._line
            draw.text((self._edge, y), row.left, anchor="la", font=self._font, fill=row.colour)
            draw.text((right, y), row.right, anchor="ra", font=self._font, fill=_GREY)

    def _bar(self, draw: ImageDraw.ImageDraw, top: int) -> None:
        """The colours from the threshold up, from left to right."""
        length, height = self._columns - 2 * self._edge, round(0.7 * self._size)
        for column in range(length):
            colour = tuple(PALETTE[256 * column // length].tolist())
            draw.line((self._edge + column, top, self._edge + column, top + height), fill=colour)

    def _warned(self, warnings: Sequence[str]) -> list[str]:
        """How many warnings there are, and the first, in a few lines."""
        if not warnings:
            return []
        which = "" if len(warnings) == 1 else ", the first of them"
        more = f"{counted(len(warnings), 'warning')}{which}: {warnings[0]}"
        lines = self._wrapped(more)
        if len(lines) <= _WARNING_LINES:
            return lines
        return [*lines[: _WARNING_LINES - 1], f"{lines[_WARNING_LINES - 1].rsplit(' ', 1)[0]} ..."]

    def _wrapped(self, text: str) -> list[str]:
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".lstrip()
            if self._fits(longer):
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def _fits(self, text: str) -> bool:
        return self._font.getlength(text) <= self._columns - 2 * self._edge


def _limit(n: int, threshold: float) -> str:
    """What an end of the colours means."""
    return f"threshold = {threshold:.3g}" if n == 1 else f"{n} x threshold = {n * threshold:.3g} and more"
