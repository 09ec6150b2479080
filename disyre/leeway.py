"""How far the parameters of two images may be apart if they are to be slices of one volume."""

from dataclasses import dataclass
from typing import Final

_ROUNDED: Final = 0.05
_GATED: Final = 0.25
"""Of the larger: a third of the smaller."""


@dataclass(frozen=True, kw_only=True)
class Leeway:
    """The most by which numbers may differ, as a share of the larger, and whether words may.

    Whatever else lies beside them, images that the least of all tells apart are kept apart (`STRICT`); more
    is for images that together make one stack (`disyre.merging`).
    """

    tr: float = _ROUNDED
    ti: float = _ROUNDED
    flip: float = _ROUNDED
    te: float = 0.0
    """Beside what rounding makes of it."""
    filters: bool = False
    """Words of ImageType that say how an image was filtered."""


STRICT: Final = Leeway()
RISING: Final = (
    STRICT,
    Leeway(tr=_GATED),
    Leeway(tr=_GATED, ti=_GATED),
    Leeway(tr=_GATED, ti=_GATED, flip=_GATED),
    Leeway(tr=_GATED, ti=_GATED, flip=_GATED, te=_ROUNDED),
    Leeway(tr=_GATED, ti=_GATED, flip=_GATED, te=_ROUNDED, filters=True),
)
"""One after the other, what varies between the slices of one volume: least suspicious things first."""
WIDEST: Final = RISING[-1]
"""All of it: as much may differ between slices of one volume."""
