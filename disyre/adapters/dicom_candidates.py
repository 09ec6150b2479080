"""What is found in DICOM files, as candidates: volumes that could be scored, and why others could not."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from disyre import admission, geometry, sequence, stacks
from disyre.admission import OnWarning
from disyre.candidate import Candidate
from disyre.completeness import warn_of_missing
from disyre.contrast_agent import warn_of_agent
from disyre.coverage import partial
from disyre.distinction import distinguished
from disyre.errors import InvalidInput, IrregularSlices, MultipleVolumes, SeveralPatients, TooFewSlices
from disyre.modality import LOCALIZER, Guess
from disyre.scan_facts import ScanFacts
from disyre.series import (
    Images,
    Part,
    Spoiled,
    are_localizers,
    describe,
    descriptions,
    find_volume,
    has_enough,
    is_localizer,
    series_of,
    usable,
    what_differs,
)
from disyre.series_warnings import OnSeriesWarning, of_picked, of_series
from disyre.series_words import describe_series
from disyre.stacks import Stack
from disyre.types import Affine
from disyre.variation import warn_of_variation
from disyre.wholeness import broken, continued, warn_of_part

_SEVERAL: Final = (
    "expected a series with one volume, got one with several{}; send the images of one of them alone"
)
_PIECES: Final = "expected a series with one volume, got one with images{}: they cannot be put together"
_LOCALIZER: Final = "expected a scan, got a localizer (ImageType), which shows where scans are to lie"
_Find: TypeAlias = Callable[[Sequence[Stack]], dict[int, IrregularSlices]]
_SHARED: Final = "expected a series of one patient, got one with images of several; send those of each alone"


def candidates_of(
    images: Images, on_warning: OnWarning, *, picked_from: Images | None = None
) -> list[Candidate]:
    """All volumes, and series that cannot be used, the largest first; what cannot be picked says why.

    Of a series that was picked from others, it is a warning that its stack has slices in them, or may have.
    """
    parts, by_series = images.parts(), images.by_series()
    n_parts = Counter(series_of(part) for part in parts)
    unpickable = {series: _why_not(by_series[series]) for series, n in n_parts.items() if n > 1}
    torn = _broken(parts, continued) | _broken(parts)
    found = [
        _judged(
            unusable(part, words, torn[number]) if number in torn else candidate_of(part, words, on_warning),
            unpickable,
        )
        for number, (part, words) in enumerate(zip(parts, descriptions(parts), strict=True))
    ]
    for part, candidate in zip(parts, found, strict=True):
        if candidate.code is None and not isinstance(part, Spoiled):
            warn_of_variation(part, on_warning)
            warn_of_agent(part, on_warning)
            warn_of_missing(part, by_series[series_of(part)].slices, on_warning)
            if picked_from is not None:
                warn_of_part(part, picked_from.slices, on_warning)
    _warn_of_coverage(parts, found, of_picked(on_warning))
    return found


def survey_of(
    by_series: Mapping[str, Images], on_series_warning: OnSeriesWarning, *, max_voxels: int
) -> list[Candidate]:
    """The one volume of each series, or why it has none; no two are described alike."""
    parts = [images.parts() for images in by_series.values()]
    torn = _broken_series(parts)
    found = [
        unusable(images.slices, describe_series(images), torn[number])
        if number in torn and not are_localizers(parts[number])
        else _volume_of(images, of_series(series, on_series_warning), max_voxels)
        for number, (series, images) in enumerate(by_series.items())
    ]
    _warn_of_coverage([each[0] for each in parts], found, on_series_warning)
    words = distinguished(
        [each.description for each in found], [next(iter(usable(each)), None) for each in parts]
    )
    return [each.model_copy(update={"description": said}) for each, said in zip(found, words, strict=True)]


def _warn_of_coverage(
    parts: Sequence[Part], found: Sequence[Candidate], on_series_warning: OnSeriesWarning
) -> None:
    """Tell which of the volumes that can be scored may be only a part of a head."""
    whole = [(part, each) for part, each in zip(parts, found, strict=True) if not isinstance(part, Spoiled)]
    for number, told in partial([part for part, _ in whole]).items():
        part, candidate = whole[number]
        if candidate.code is None:
            on_series_warning(series_of(part), told)


def check_volume(stack: Stack, max_voxels: int) -> ScanFacts:
    """How the voxels of a volume lie. Raises TooLarge, or what is wrong with its place."""
    shape = (*stack[0].shape, len(stack))
    admission.check_size(shape, max_voxels=max_voxels)
    affine = _affine(stack)
    return ScanFacts(
        shape=shape, spacing_mm=geometry.spacing_mm(affine), orientation=geometry.orientation(affine)
    )


def _affine(stack: Stack) -> Affine:
    """(column, row, slice) to mm (RAS). Raises UnsupportedGeometry."""
    found = stacks.affine(stack)
    admission.check_grid(found)
    return geometry.ras_to_lps(found)


def _volume_of(images: Images, on_warning: OnWarning, max_voxels: int) -> Candidate:
    """The one volume of a series."""
    try:
        stack = find_volume(images, on_warning)
        check_volume(stack, max_voxels)
    except InvalidInput as error:
        spoiled = images.spoiled()
        if spoiled:
            return candidate_of(spoiled[0], describe(spoiled[0]), admission.ignore)
        why = unusable(images.slices, describe_series(images), error)
        is_one = len(images.parts()) == 1
        code, reason = (None if is_one else _why_not(images)) or (why.code, why.reason)
        return why.model_copy(update={"code": code, "reason": reason})
    return candidate_of(stack, describe(stack), admission.ignore)


def _broken(parts: Sequence[Part], find: _Find = broken) -> dict[int, IrregularSlices]:
    """Of parts that are pieces of one stack, by their numbers, why they are none by themselves."""
    places = [place for place, part in enumerate(parts) if not isinstance(part, Spoiled)]
    return {places[number]: error for number, error in find(usable(parts)).items()}


def _broken_series(parts: Sequence[Sequence[Part]]) -> dict[int, IrregularSlices]:
    """The same of series, by their numbers, each as its largest part is."""
    largest_first = sorted(
        (
            (part, number, part is of_series[0])
            for number, of_series in enumerate(parts)
            for part in of_series
        ),
        key=lambda found: len(found[0]),
        reverse=True,
    )
    found = _broken([part for part, _, _ in largest_first])
    series = {place: number for place, (_, number, is_largest) in enumerate(largest_first) if is_largest}
    return {series[place]: error for place, error in found.items() if place in series}


def _judged(candidate: Candidate, unpickable: Mapping[str, tuple[str, str] | None]) -> Candidate:
    why_not = unpickable.get(candidate.series_uid or "")
    if why_not is None or (candidate.code is not None and why_not[1] != _LOCALIZER):
        return candidate
    code, reason = why_not
    return candidate.model_copy(update={"code": code, "reason": reason})


def _why_not(of_series: Images) -> tuple[str, str] | None:
    """The code and the reason for which `series_uid` cannot pick a volume: it stands for several."""
    try:
        find_volume(of_series, admission.ignore)
    except SeveralPatients as error:
        return error.code, _SHARED
    except InvalidInput as error:
        parts = of_series.parts()
        if are_localizers(parts):
            return MultipleVolumes.code, _LOCALIZER
        if not isinstance(error, MultipleVolumes):
            return error.code, str(error)
        differ = what_differs(parts)
        reason = _SEVERAL if has_enough(parts) else _PIECES
        which = " which" if reason is _PIECES else ", which"
        return error.code, reason.format(f"{which} differ in {differ}" if differ else "")
    return None


def candidate_of(part: Part, words: str, on_warning: OnWarning) -> Candidate:
    """A volume, described in some words, or why it is none."""
    if isinstance(part, Spoiled):
        return unusable(part, words, part.error)
    try:
        ordered = stacks.in_order(part, on_warning)
        affine = _affine(ordered)
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
    is_short = isinstance(error, TooFewSlices) and not isinstance(part, Spoiled)
    return Candidate(
        series_uid=series_of(part),
        description=words,
        n=len(part) if isinstance(part, Spoiled) else stacks.n_images(part),
        shape=None,
        spacing_mm=None,
        orientation=None,
        code=error.code,
        reason=_LOCALIZER if is_short and is_localizer(part) else str(error),
        modality=LOCALIZER if is_short else modality_of(part),
    )


def modality_of(part: Part) -> Guess:
    """What the sequence of some images makes of them: that of the first of those that say most of it."""
    if isinstance(part, Spoiled):
        return sequence.guess(part.sequence)
    return sequence.guess(min(part, key=lambda image: len(image.unstated)).sequence)
