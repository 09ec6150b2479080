"""By what a series is known again when more of it, or other images of it, are sent later."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, Self, TypeAlias

from disyre.frozen import Frozen
from disyre.series_uid import made_up_uid
from disyre.stacks import Slice

_DIGITS: Final = 32
"""Of a hash in hex: 128 bits."""


class SeriesMark(Frozen):
    """Two hashes, from which nothing of a patient can be read."""

    id: str
    """Of the UIDs of study and series."""
    content: str
    """Of all images of it that came and can be used: their pixels and places, in any order, copies once."""

    @classmethod
    def of(cls, images: Sequence[Slice]) -> Self | None:
        """That of images of one series; None if there are none, or if they do not say of which they are."""
        if not images or images[0].series == made_up_uid(images[0].study, ""):
            return None
        places = {repr((each.pixels, each.position.tolist(), each.orientation.tolist())) for each in images}
        return cls(
            id=_hash(f"{images[0].study}\0{images[0].series}"), content=_hash("\n".join(sorted(places)))
        )


OnSeries: TypeAlias = Callable[[str, SeriesMark], None]
"""Is told the UID of a series, as the option `series_uid` takes it, and its mark."""


def ignore_series(series_uid: str, mark: SeriesMark) -> None:
    """Be told, and do nothing."""


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_DIGITS]
