"""What DICOM files hold and whether it can be read, by their headers alone.

In the API, so without highdicom, which takes 20 MB of memory: `dicom_read` asks it when the voxels are read.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from disyre import admission
from disyre.adapters.dicom_candidates import candidates_of, check_volume, modality_of, survey_of
from disyre.adapters.dicom_look import look
from disyre.adapters.dicom_opening import Instance
from disyre.admission import MAX_VOXELS, OnWarning
from disyre.candidate import Candidate
from disyre.errors import InvalidInput, InvalidParams, MultipleVolumes, SeveralPatients
from disyre.modality import Guess
from disyre.scan_facts import ScanFacts
from disyre.series import Images, are_localizers, find_volume, has_enough, what_differs
from disyre.series_files import OnFiles, SeriesFiles
from disyre.series_kin import kin
from disyre.series_mark import OnSeries, SeriesMark, ignore_series
from disyre.series_warnings import OnSeriesWarning, of_picked
from disyre.wording import collapsed

_MOST_LISTED: Final = 50
"""Candidates in one refusal."""


def inspect_dicom(
    instances: Iterable[Instance], on_warning: OnWarning, *, series: str | None = None
) -> list[Candidate]:
    """The volumes that DICOM files hold, the largest first, each with what keeps it from being scored.

    With `series`, only those of one series. Files are looked at one after the other, and no pixels are kept.
    Raises NotAnImage, NotBrainMr, UnsupportedTransferSyntax or UnreadableVolume if there are no MR images
    that say which series they are of; InvalidParams, with all candidates, if there is no such series.
    """
    images = look(instances, on_warning)
    try:
        found = images.of(series)
    except InvalidInput as error:
        raise _with_candidates(error, images) from error
    try:
        found.check_patient()
    except SeveralPatients as error:
        on_warning(str(error))
    return candidates_of(found, on_warning, picked_from=None if series is None else images)


def check_dicom(
    instances: Iterable[Instance],
    *,
    max_voxels: int = MAX_VOXELS,
    series: str | None = None,
    on_facts: Callable[[ScanFacts], None] = lambda facts: None,
    on_series: OnSeries = ignore_series,
) -> Guess:
    """Check by their headers that DICOM files hold one volume that can be read; what it is recognised as.

    `on_facts` is told how its voxels lie, `on_series` which series it is. Raises what `read_dicom` raises
    but for what highdicom alone refuses, with all candidates if there are several.
    """
    said: list[str] = []
    # What is said of all files is not of one series that is picked.
    images = look(
        instances,
        said.append if series is None else admission.ignore,
        on_series_warning=of_picked(said.append, series),
    )
    try:
        stack = find_volume(images, said.append, series=series)
        facts = check_volume(stack, max_voxels)
    except SeveralPatients as error:
        raise _with_candidates(error, images) from error
    except MultipleVolumes as error:
        candidates = candidates_of(images, admission.ignore)
        told = f"{error}; {_way_out(images, series, candidates)}"
        raise MultipleVolumes(told, candidates[:_MOST_LISTED]) from error
    except InvalidInput as error:
        raise _with_candidates(error, images) from error
    on_facts(facts.model_copy(update={"warnings": collapsed(said)}))
    _tell_mark(images.of(stack[0].series), on_series)
    return modality_of(stack)


def survey_dicom(
    instances: Iterable[Instance],
    on_warning: OnWarning,
    *,
    max_voxels: int = MAX_VOXELS,
    on_series_warning: OnSeriesWarning | None = None,
    on_series: OnSeries = ignore_series,
    on_files: OnFiles | None = None,
) -> list[Candidate]:
    """The one volume of each series among DICOM files, or why it has none, in the order of the files.

    `on_series_warning` is told what is odd about a series, `on_warning` the rest; without the one, all.
    `on_series` is told the mark of each, and `on_files` without which files it would not be read as it is
    with all, of those that can be scored. Raises what `inspect_dicom` raises, and SeveralPatients.
    """
    files = SeriesFiles()
    on_series_warning = on_series_warning or of_picked(on_warning)
    images = look(instances, on_warning, files=files, on_series_warning=on_series_warning)
    try:
        images.check_patient()
    except SeveralPatients as error:
        raise _with_candidates(error, images) from error
    by_series = images.by_series()
    for each in by_series.values():
        _tell_mark(each, on_series)
    found = survey_of(by_series, on_series_warning, max_voxels=max_voxels)
    if on_files is not None:
        scored = [each.series_uid for each in found if each.code is None and each.series_uid is not None]
        for series, needed in kin(by_series, scored).items():
            on_files(series, files.needed(needed))
    return found


def _tell_mark(images: Images, on_series: OnSeries) -> None:
    """Tell by what the images of one series are known again."""
    mark = SeriesMark.of(images.slices)
    if mark is not None:
        on_series(images.slices[0].series, mark)


def _way_out(images: Images, series: str | None, candidates: Sequence[Candidate]) -> str:
    """What a client can do who sent several volumes."""
    if series is not None or len(images.series) == 1:
        parts = images.of(series).parts()
        if are_localizers(parts):
            return "they are localizers (ImageType), which show where scans are to lie: send a scan"
        differ = what_differs(parts)
        way_out = "send one of them alone" if has_enough(parts) else "they cannot be put together"
        return f"they are of one series{f', and differ in {differ}' if differ else ''}: {way_out}"
    good = [each.description for each in candidates if each.code is None]
    if not good:
        return "none of them can be scored as it is, and candidates has the reason of each"
    if len(good) == 1:
        return f"only one can be scored, {good[0]}: the option series_uid picks it, and so does /v1/studies"
    return "the option series_uid picks one, and /v1/studies scores each"


def _with_candidates(error: InvalidInput, images: Images) -> InvalidInput:
    """The same error with what there was to choose from, if it was anything."""
    candidates = candidates_of(images, admission.ignore)
    if len(candidates) == 1 and not isinstance(error, MultipleVolumes | InvalidParams):
        return type(error)(str(error))
    return type(error)(str(error), candidates[:_MOST_LISTED])
