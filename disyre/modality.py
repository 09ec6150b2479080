"""What contrast a series has: what there are models for, what else may come, and a guess with its reason."""

from typing import Final, Literal, TypeAlias, get_args

from disyre.frozen import Frozen

Modality: TypeAlias = Literal["T1w", "T2w", "FLAIR"]
"""What there may be models for: suffixes of BIDS."""
OtherContrast: TypeAlias = Literal[
    # suffixes of BIDS
    "PDw",
    "T2starw",
    "UNIT1",
    "MP2RAGE",
    "dwi",
    "bold",
    "epi",
    "angio",
    "phase",
    # for which BIDS has none: blood flow, a quantity such as T1 in ms, fat nulled, balanced steady state
    "perfusion",
    "map",
    "STIR",
    "bSSFP",
    # of a complex image, or of two images
    "imaginary",
    "subtraction",
]
"""What else a series may be recognised as."""
Contrast: TypeAlias = Modality | OtherContrast
Source: TypeAlias = Literal["header", "image", "given"]

MODALITIES: Final[tuple[Modality, ...]] = get_args(Modality)


class Guess(Frozen):
    """What a series was taken for, and why."""

    name: Contrast | None
    """None if it was not recognised."""
    source: Source | None
    """Who says so: the header, the image, or the client; None if nobody has said anything yet."""
    reason: str
    """In words, without anything that a person wrote into the header."""
    likely: Modality | None = None
    """What it looks most like, where that is too uncertain to say that it was recognised."""


SILENT: Final = Guess(
    name=None, source=None, reason="the header says nothing of the sequence; the image is looked at later"
)
"""Of what comes without parameters, such as NIfTI."""
LOCALIZER: Final = Guess(
    name=None, source=None, reason="there are too few slices for a scan; it may be a localizer"
)
"""Of series that show where other scans are to lie, whatever their sequence is."""
