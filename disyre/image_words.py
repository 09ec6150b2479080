"""Words by which headers call the kind of an image: ImageType, FrameType and AcquisitionContrast.

An image that was computed has the parameters of the sequence that it was computed from, and not its contrast.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from disyre.modality import Contrast

_KINDS: Final[dict[Contrast, frozenset[str]]] = {
    "map": frozenset(
        {"T1 MAP", "T2 MAP", "T2 STAR MAP", "T2* MAP", "R1 MAP", "R2 MAP", "R2 STAR MAP", "R2* MAP"}
        | {"B0 MAP", "B1 MAP", "PD MAP", "PROTON DENSITY MAP", "FIELD MAP", "VELOCITY", "MTR", "MTSAT"}
        | {"QSM", "SUSCEPTIBILITY", "T2 STAR UNI", "FAT FRACTION", "FATFRACTION", "MWF", "B0", "B1"}
    ),
    "phase": frozenset({"P", "PHASE MAP"}),
    "imaginary": frozenset({"I", "IMAGINARY"}),
    "dwi": frozenset(
        {"DIFFUSION", "ADC", "EADC", "TRACE", "TRACEW", "FA", "FRACTIONAL ANISOTROPY", "TENSOR", "TENSOR B0"}
        | {"EXPONENTIAL", "DIFFUSION ANISO", "DWI", "DTI", "COLFA", "CALC BVALUE", "ISOTROPIC"}
    ),
    "perfusion": frozenset(
        {"PERFUSION", "ASL", "CBF", "CBV", "MTT", "TTP", "TMAX", "RELCBF", "RELCBV", "RELMTT", "GBP", "PBP"}
        | {"RCBF", "RCBV", "RMTT", "KTRANS", "KEP", "IAUC"}
    ),
    "bold": frozenset({"FMRI"}),
    "T2starw": frozenset({"SWI", "MNIP", "MIN IP", "MINIP"}),
    "angio": frozenset({"ANGIO", "TOF", "FLOW ENCODED", "MAX IP", "MIP", "PROJECTION IMAGE"}),
    "UNIT1": frozenset({"UNI"}),
    "subtraction": frozenset({"SUB", "SUBTRACTION", "SUBTRACTED", "SUBTRACT"}),
}
"""Words that settle it: alone, or among others, such as FA in COLOR FA and P in P_FFE."""
_WHOLE: Final[dict[Contrast, frozenset[str]]] = {"phase": frozenset({"PHASE"})}
"""Words that settle it alone only: IN_PHASE is none."""
_OPEN: Final[dict[str, frozenset[str]]] = {
    "real part": frozenset({"R", "REAL"}),
    "fat": frozenset({"FAT"}),
}
"""Words of images that have the contrast of their sequence, or none: of PSIR, the real part is a good T1w."""
_LOCALIZER: Final = frozenset({"LOCALIZER"})
_MAP: Final = "MAP"
"""Ends the name of a quantity, whichever that is."""


class Kind(NamedTuple):
    """What a header calls an image; no contrast if that is for the image, or a person, to say."""

    contrast: Contrast | None
    reason: str


def kind_of(image_type: Iterable[str], stated: str | None) -> Kind | None:
    """What words make of an image; None if they say nothing of it. No word but a known one is repeated.

    >>> kind_of(["COLOR_FA"], None), kind_of(["M", "NORM"], None)
    (Kind(contrast='dwi', reason='the header calls the image FA'), None)
    """
    said = set(image_type)
    if found := said & _LOCALIZER:
        return Kind(None, f"the header calls the image {min(found)}")
    whole = {plain(word) for word in (*said, stated or "")}
    parts = whole | {part for word in whole for part in _parts(word)}
    return _settled(whole, whole) or _settled(whole, parts) or _map(whole) or _open(parts)


def plain(word: str) -> str:
    """A word with blanks between its parts.

    >>> plain("T1_MAP")
    'T1 MAP'
    """
    return word.replace("_", " ")


def _parts(word: str) -> list[str]:
    """The parts of a word; one of a single letter only at its begin, as in P_FFE."""
    first, *others = re.split(r"[^A-Z0-9*]+", word)
    return [first, *(part for part in others if len(part) > 1)]


def _settled(whole: set[str], words: set[str]) -> Kind | None:
    for contrast, known in _KINDS.items():
        found = words & known or whole & _WHOLE.get(contrast, frozenset())
        if found:
            return Kind(contrast, f"the header calls the image {min(found)}")
    return None


def _map(whole: set[str]) -> Kind | None:
    is_map = any(word == _MAP or word.endswith(f" {_MAP}") for word in whole)
    return Kind("map", "the header calls the image a map") if is_map else None


def _open(words: set[str]) -> Kind | None:
    for what, known in _OPEN.items():
        if words & known:
            return Kind(
                None, f"the header calls the image {min(words & known)} ({what}); no contrast follows"
            )
    return None
