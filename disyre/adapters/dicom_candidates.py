"""What is found in DICOM files, as candidates: volumes that could be scored, and why others could not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from disyre import admission, geometry, sequence, stacks
from disyre.adapters import dicom_geometry
from disyre.admission import OnWarning
from disyre.candidate import Candidate
from disyre.completeness import warn_of_missing
from disyre.errors import InvalidInput, IrregularSlices, MultipleVolumes, SeveralPatients, TooFewSlices
from disyre.modality import LOCALIZER, Guess
from disyre.series import (
    Images,
    Part,
    Spoiled,
    descriptions,
    find_volume,
    has_enough,
    series_of,
    usable,
    what_differs,
)
from disyre.tear import tears
from disyre.variation import warn_of_variation

_SEVERAL: Final = (
    "expected a series with one volume, got one with several{}; send the images of one of them alone"
)
_PIECES: Final = "expected a series with one volume, got one with images{}: they cannot be put together"
_SHARED: Final = "expected a series of one patient, got one with images of several; send those of each alone"


def candidates_of(images: Images, on_warning: OnWarning) -> list[Candidate]:
    """All volumes, and series that cannot be used, the largest first; what cannot be picked says why."""
    parts, by_series = images.parts(), images.by_series()
    n_parts = Counter(series_of(part) for part in parts)
    unpickable = {series: _why_not(by_series[series]) for series, n in n_parts.items() if n > 1}
    torn = _torn(parts)
    found = [
        unusable(part, words, torn[number])
        if number in torn
        else _judged(candidate_of(part, words, on_warning), unpickable)
        for number, (part, words) in enumerate(zip(parts, descriptions(parts), strict=True))
    ]
    for part, candidate in zip(parts, found, strict=True):
        if candidate.code is None and not isinstance(part, Spoiled):
            warn_of_variation(part, on_warning)
            warn_of_missing(part, by_series[series_of(part)].slices, on_warning)
    return found


def _torn(parts: Sequence[Part]) -> dict[int, IrregularSlices]:
    """Of parts that are pieces of one stack, by their numbers, what tears it apart."""
    places = [place for place, part in enumerate(parts) if not isinstance(part, Spoiled)]
    return {places[number]: error for number, error in tears(usable(parts)).items()}


def _judged(candidate: Candidate, unpickable: Mapping[str, tuple[str, str] | None]) -> Candidate:
    why_not = unpickable.get(candidate.series_uid or "")
    if candidate.code is not None or why_not is None:
        return candidate
    code, reason = why_not
    return candidate.model_copy(update={"code": code, "reason": reason})


def _why_not(of_series: Images) -> tuple[str, str] | None:
    """The code and the reason for which `series_uid` cannot pick a volume: it stands for several."""
    try:
        find_volume(of_series, admission.ignore)
    except SeveralPatients as error:
        return error.code, _SHARED
    except MultipleVolumes as error:
        parts = of_series.parts()
        differ = what_differs(parts)
        reason = _SEVERAL if has_enough(parts) else _PIECES
        return error.code, reason.format(f", which differ in {differ}" if differ else "")
    except InvalidInput as error:
        return error.code, str(error)
    return None


def candidate_of(part: Part, words: str, on_warning: OnWarning) -> Candidate:
    """A volume, described in some words, or why it is none."""
    if isinstance(part, Spoiled):
        return unusable(part, words, part.error)
    try:
        ordered = stacks.in_order(part, on_warning)
        affine = geometry.ras_to_lps(dicom_geometry.affine(ordered))
    except InvalidInput as error:
        return unusable(part, words, error)
    return Candidate(
        series_uid=series_of(part),
        description=words,
        n=len(ordered),
        shape=(*ordered[0].shape, len(ordered)),
        spacing_mm=geometry.spacing_mm(affine),
        orientation=geometry.orientation(affine),
        modality=modality_of(part),
    )


def unusable(part: Part, words: str, error: InvalidInput) -> Candidate:
    """Images that make no volume, and why."""
    is_localizer = isinstance(error, TooFewSlices) and not isinstance(part, Spoiled)
    return Candidate(
        series_uid=series_of(part),
        description=words,
        n=len(part) if isinstance(part, Spoiled) else stacks.n_images(part),
        shape=None,
        spacing_mm=None,
        orientation=None,
        code=error.code,
        reason=str(error),
        modality=LOCALIZER if is_localizer else modality_of(part),
    )


def modality_of(part: Part) -> Guess:
    """What the sequence of some images makes of them: that of the first of those that say most of it."""
    if isinstance(part, Spoiled):
        return sequence.guess(part.sequence)
    return sequence.guess(min(part, key=lambda image: len(image.unstated)).sequence)
