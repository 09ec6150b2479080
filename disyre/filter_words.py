"""Words of ImageType that say how the scanner filtered an image, and nothing of what it shows."""

import re
from collections.abc import Sequence
from typing import Final

_FILTER: Final = re.compile(r"NORM|ND|DIS[23]D|(FM|FIL|SFIL|SH)\d*(_\d+)*|FILTERED|DR[BGS]")
"""Normalised, distortion corrected in two or three dimensions or not, filtered, sharpened and the like."""


def filters_in(words: Sequence[str]) -> list[str]:
    """Those of an image's words, from the third value of its ImageType on, that are such; never the first.

    >>> filters_in(["M", "NORM", "FM3_2", "TRACEW"])
    ['NORM', 'FM3_2']
    """
    return [word for word in words[1:] if _FILTER.fullmatch(word)]


def without_filters(words: Sequence[str]) -> tuple[str, ...]:
    """The others.

    >>> without_filters(["M", "NORM", "FM3_2", "TRACEW"])
    ('M', 'TRACEW')
    """
    return (*words[:1], *(word for word in words[1:] if not _FILTER.fullmatch(word)))
