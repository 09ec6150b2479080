"""The contrast of a series by the parameters of its sequence; never by text that a person wrote.

The rules follow how each contrast is made (Bernstein, King, Zhou: Handbook of MRI Pulse Sequences, 2004).
Where parameters are missing, contradict each other, or lie between two contrasts, nothing is recognised: then
the image decides, or a person.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from disyre.image_words import kind_of, plain
from disyre.modality import Contrast, Guess, Source
from disyre.sequence_parameters import SequenceParameters


class _Verdict(NamedTuple):
    contrast: Contrast | None
    reason: str


_NOTHING: Final = _Verdict(None, "the header says too little of the sequence")


@lru_cache(maxsize=256)  # of thousands of series, most are judged by the same parameters
def guess(parameters: SequenceParameters) -> Guess:
    """What the parameters of a sequence make of its images."""
    kind = kind_of(parameters.image_type, parameters.stated)
    if kind is not None and kind.contrast is None:
        return Guess(name=None, source="header", reason=kind.reason)
    found = _by_rules(parameters) if kind is None else _Verdict(kind.contrast, kind.reason)
    verdict = _against_stated(parameters, found)
    source: Source | None = None if verdict == _NOTHING else "header"
    return Guess(name=verdict.contrast, source=source, reason=verdict.reason)


_STATED: Final[dict[str, Contrast]] = {
    "T1": "T1w",
    "T2": "T2w",
    "FLUID ATTENUATED": "FLAIR",
    "PROTON DENSITY": "PDw",
    "T2 STAR": "T2starw",
    "STIR": "STIR",
}
"""What AcquisitionContrast says, as far as no rule on the kind of image knows it."""
_REFINED: Final[dict[Contrast, frozenset[Contrast]]] = {
    "T1w": frozenset({"MP2RAGE", "bSSFP"}),
    "T2w": frozenset({"FLAIR", "STIR", "epi", "bSSFP"}),
    "PDw": frozenset({"MP2RAGE"}),
    "T2starw": frozenset({"bold", "epi"}),
}
"""What is no contradiction to a stated contrast, but says more."""


def _by_rules(parameters: SequenceParameters) -> _Verdict:
    verdicts = (rule(parameters) for rule in _RULES)
    return next((verdict for verdict in verdicts if verdict is not None), _NOTHING)


def _against_stated(parameters: SequenceParameters, found: _Verdict) -> _Verdict:
    """The verdict of the rules, held against what the header itself calls the contrast."""
    stated = _STATED.get(plain(parameters.stated or ""))
    if stated is None or stated == found.contrast or found.contrast in _REFINED.get(stated, ()):
        return found
    if found.contrast is None:
        return _Verdict(stated, f"the header calls the contrast {stated}")
    return _Verdict(
        None,
        f"the header calls the contrast {stated}, its parameters ({found.reason}) are of {found.contrast}",
    )


def _angiography(p: SequenceParameters) -> _Verdict | None:
    return _Verdict("angio", "the header calls it angiography") if p.is_angio else None


def _diffusion(p: SequenceParameters) -> _Verdict | None:
    """Some scanners write a b-value of 0 into images of any kind, so that one counts in echo planes only."""
    is_weighted = bool(p.b_value) or (p.b_value == 0 and "EP" in p.sequence)
    return _Verdict("dwi", f"diffusion, b-value {p.b_value:g} s/mm^2") if is_weighted else None


_BOLD_TE_MS: Final = (15.0, 60.0)
"""Around T2* of the cortex: 66 ms at 1.5 T, 47 ms at 3 T, 33 ms at 7 T, and shorter in distorted places."""


def _echo_planar(p: SequenceParameters) -> _Verdict | None:
    """All lines after one or few pulses: distorted, whatever its weighting, so never a model's T2w or T1w."""
    if "EP" not in p.sequence:
        return None
    if p.is_spin_echo or p.has_agent or not _within(p.te_ms, *_BOLD_TE_MS):
        return _Verdict("epi", p.describe("echo-planar imaging"))
    return _Verdict("bold", p.describe("gradient-echo echo-planar imaging"))


_T1_FLUID_MS: Final = 4200.0
"""Of cerebrospinal fluid, at any field strength."""
_NULLED: Final = (0.75, 1.25)
"""TI, in units of the one that nulls fluid. Scanners take 0.8 to 1.1 of it; double inversion is at 1.3."""
_FLAIR_TI_MS: Final = (1600.0, 2800.0)
"""The same where TR is not known."""
_FLAIR_TE_MS: Final = 60.0
"""From here on T2 decides between the tissues that are left."""
_FAT_TI_MS: Final = (80.0, 300.0)
"""Nulls fat, of which T1 is 200 to 380 ms."""
_T1_TI_MS: Final = (300.0, 1400.0)
"""Grey and white matter are furthest apart."""
_T1_TE_MS: Final = 30.0
"""Up to here T2 has no say in a spin echo."""


def _inverted_spin_echo(p: SequenceParameters) -> _Verdict | None:
    """FLAIR nulls fluid and has a long TE; T1-FLAIR has a short one; STIR nulls fat."""
    if not p.is_inverted or "GR" in p.sequence:
        return None
    is_known = p.is_spin_echo or (p.te_ms or 0) >= _FLAIR_TE_MS  # no gradient echo lasts so long
    if not p.ti_ms or p.te_ms is None or not is_known:
        return _Verdict(None, p.describe("an inversion without enough about it"))
    words = p.describe("inversion recovery")
    if _within(p.ti_ms, *_FAT_TI_MS):
        return _Verdict("STIR", words)
    if p.te_ms >= _FLAIR_TE_MS and _nulls_fluid(p.ti_ms, p.tr_ms):
        return _Verdict("FLAIR", words)
    if p.te_ms <= _T1_TE_MS and _within(p.ti_ms, *_T1_TI_MS):
        return _Verdict("T1w", words)
    return _Verdict(None, f"{words}: between known contrasts")


def _nulls_fluid(ti_ms: float, tr_ms: float | None) -> bool:
    if tr_ms is None:
        return _within(ti_ms, *_FLAIR_TI_MS)
    null_ms = _T1_FLUID_MS * math.log(2 / (1 + math.exp(-tr_ms / _T1_FLUID_MS)))
    return _within(ti_ms / null_ms, *_NULLED) and ti_ms >= _T1_TI_MS[1]


_SHORT_TE_MS: Final = 8.0
"""Up to here T2* has no say in a gradient echo."""
_LONG_TE_MS: Final = 12.0
"""From here on T2* decides."""
_MPRAGE_TR_MS: Final = 3500.0
"""From one inversion to the next; MP2RAGE takes 5 s and more. Some scanners write the time between echoes."""


def _inverted_gradient_echo(p: SequenceParameters) -> _Verdict | None:
    """MPRAGE and its kin are T1w; the two images of MP2RAGE, one of them with a long TI, are not."""
    if "GR" not in p.sequence or not p.is_inverted:
        return None
    words = p.describe("inversion-prepared gradient echo")
    if p.te_ms is None or p.te_ms > _LONG_TE_MS:
        return _Verdict(None, f"{words}: of no known contrast")
    if (p.tr_ms or 0) > _MPRAGE_TR_MS or (p.ti_ms or 0) > _T1_TI_MS[1]:
        return _Verdict("MP2RAGE", words)
    return _Verdict("T1w", words)


_T1_TR_MS: Final = 1000.0
"""Up to here T1 decides in a spin echo."""
_LONG_TR_MS: Final = 2000.0
"""From here on T1 has little say."""
_LONGEST_TR_MS: Final = 8000.0
"""T2w needs no longer one, but FLAIR does, and some headers do not tell of its inversion."""
_PD_TE_MS: Final = 40.0
_T2_TE_MS: Final = 70.0
"""From here on T2 decides. 3-D trains of varying flip angles have an effective TE of 200 to 450 ms, and the
contrast of 80 to 120 ms."""


def _spin_echo(p: SequenceParameters) -> _Verdict | None:
    """Short TR and TE: T1w. Long TR and short TE: PDw. Both long: T2w."""
    if not p.is_spin_echo:
        return None
    words = p.describe("train of spin echoes" if (p.n_echoes or 0) > 1 else "spin echo")
    if p.tr_ms is None or p.te_ms is None:
        return _Verdict(None, f"{words}: TR and TE are not both known")
    if p.tr_ms <= _T1_TR_MS and p.te_ms <= _T1_TE_MS:
        return _Verdict("T1w", words)
    if p.tr_ms >= _LONG_TR_MS and p.te_ms <= _PD_TE_MS:
        return _Verdict("PDw", words)
    if _LONG_TR_MS <= p.tr_ms <= _LONGEST_TR_MS and p.te_ms >= _T2_TE_MS:
        return _Verdict("T2w", words)
    return _Verdict(None, f"{words}: between known contrasts")


_T1_TISSUE_MS: Final = 1000.0
"""Of grey and white matter, roughly: 650 to 1100 ms at 1.5 T, 850 to 1350 ms at 3 T."""
_ABOVE_ERNST: Final = 1.3
_BELOW_ERNST: Final = 0.7
"""Flip angle, in units of the one of the strongest signal: above it T1 decides, below it proton density."""
_BALANCED_SHARE: Final = (0.4, 0.6)
"""A balanced sequence has its echo in the middle of TR."""
_BALANCED_FLIP_DEG: Final = 20.0


def _gradient_echo(p: SequenceParameters) -> _Verdict | None:
    """Long TE: T2*. Else the flip angle decides. Balanced steady states mix T2 and T1."""
    if "GR" not in p.sequence:
        return None
    words = p.describe("gradient echo")
    if p.tr_ms is None or p.te_ms is None or p.flip_deg is None:
        return _Verdict(None, f"{words}: TR, TE and flip angle are not all known")
    if _is_balanced(p.te_ms / p.tr_ms, p):
        return _Verdict("bSSFP", words.replace("gradient echo", "balanced steady state"))
    if p.te_ms >= _LONG_TE_MS:
        return _Verdict("T2starw", words)
    if p.te_ms > _SHORT_TE_MS or _may_be_flight(p):
        return _Verdict(None, f"{words}: between known contrasts")
    if "MP" in p.variant:
        return _Verdict("T1w", f"magnetisation-prepared {words}")
    return _by_flip_angle(p.flip_deg, p.tr_ms, words)


def _is_balanced(echo_share: float, p: SequenceParameters) -> bool:
    is_steady = "SS" in p.variant and not p.variant & {"SP", "MP"}
    return is_steady and _within(echo_share, *_BALANCED_SHARE) and (p.flip_deg or 0) >= _BALANCED_FLIP_DEG


def _may_be_flight(p: SequenceParameters) -> bool:
    """The timing of a time-of-flight angiography, whose flag may be missing, and what T1w has no use for.

    That is flow compensation, or a transfer of magnetisation that darkens the brain behind the vessels.
    """
    is_prepared = "FC" in p.options or "MTC" in p.variant
    return p.is_3d and is_prepared and _within(p.tr_ms, 15, 45) and _within(p.flip_deg, 10, 30)


def _by_flip_angle(flip_deg: float, tr_ms: float, words: str) -> _Verdict:
    ernst_deg = math.degrees(math.acos(math.exp(-tr_ms / _T1_TISSUE_MS)))
    if flip_deg >= _ABOVE_ERNST * ernst_deg:
        return _Verdict("T1w", words)
    if flip_deg <= _BELOW_ERNST * ernst_deg:
        return _Verdict("PDw", words)
    return _Verdict(None, f"{words}: between known contrasts")


def _within(value: float | None, least: float, most: float) -> bool:
    return value is not None and least <= value <= most


_RULES: Final[tuple[Callable[[SequenceParameters], _Verdict | None], ...]] = (
    _angiography,
    _diffusion,
    _echo_planar,
    _inverted_spin_echo,
    _inverted_gradient_echo,
    _spin_echo,
    _gradient_echo,
)
"""The first that applies decides."""
