"""DICOM instances -> Volume, or a refusal that says why.

What is not DICOM is ignored, and so is DICOM that is no MR image, as long as there are MR images. Single
images and the frames of enhanced images go the same way: `disyre.stacks` sorts them out and
`dicom_geometry` says where the volume lies; the world changes from LPS to RAS here.

Voxels come out as (column, row, slice), which is the order in which NIfTI files are usually stored.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeAlias

import numpy as np
from pydicom import config
from pydicom.uid import MRImageStorage

from disyre import admission, geometry
from disyre.adapters import dicom_geometry
from disyre.adapters.dicom_candidates import candidates_of, check_volume, modality_of, survey_of
from disyre.adapters.dicom_files import SortedFiles, in_batches, sort_dicom
from disyre.adapters.dicom_frames import Frame, frames_of, reject_of, slice_of
from disyre.adapters.dicom_image import Image
from disyre.adapters.dicom_opening import Instance, Opening
from disyre.adapters.dicom_voxels import least_slope, read_voxels
from disyre.adapters.source_series import SourceSeries, SourceSlice
from disyre.admission import MAX_VOXELS, OnWarning
from disyre.candidate import Candidate
from disyre.errors import InvalidInput, InvalidParams, MultipleVolumes, SeveralPatients
from disyre.inversion import check_slope
from disyre.modality import Guess
from disyre.owners import with_owners
from disyre.scan_facts import ScanFacts
from disyre.series import Images, are_localizers, find_volume, has_enough, what_differs
from disyre.series_files import OnFiles, SeriesFiles
from disyre.series_kin import kin
from disyre.series_mark import OnSeries, SeriesMark, ignore_series
from disyre.series_warnings import OnSeriesWarning, of_picked
from disyre.shared_values import SharedValues
from disyre.stacks import Stack, directions
from disyre.types import Affine
from disyre.volume import Volume
from disyre.wording import collapsed

_MOST_LISTED: Final = 50
"""Candidates in one refusal."""

OnImages: TypeAlias = Callable[[SourceSeries], None]
"""Is told which images a volume is made of."""


def _ignore(images: SourceSeries) -> None:
    """Be told, and do nothing."""


def read_dicom(
    instances: Iterable[Instance],
    *,
    max_voxels: int = MAX_VOXELS,
    series: str | None = None,
    on_warning: OnWarning = admission.ignore,
    on_images: OnImages = _ignore,
) -> Volume:
    """Read the one volume that DICOM files hold, with rescale slope and intercept applied.

    Of several, `series` picks one by its SeriesInstanceUID. `on_warning` is told what was left out,
    `on_images` what the volume is made of.
    Raises NotAnImage, NotBrainMr, UnsupportedTransferSyntax, UnreadableVolume, TooLarge, UnusableVolume
    or one of its subclasses.
    """
    with config.disable_value_validation():  # its warnings quote what is in the header
        frames: list[Frame] = []
        images = _look(instances, on_warning, series=series, kept=frames)
        stack = find_volume(images, on_warning, series=series)
        admission.check_size((len(stack), *stack[0].shape), max_voxels=max_voxels)
        affine = dicom_geometry.affine(stack)
        chosen = [frames[image.number] for image in stack]
        voxels = read_voxels(chosen, stack[0].shape, on_warning)
        source = _source_of(stack, chosen, affine)
    on_images(source)
    n_infinite = int(np.count_nonzero(~np.isfinite(voxels)))  # pixels are integers: all that is was scaled so
    admission.fill_non_finite(voxels, on_warning, n_too_large=n_infinite)
    check_slope(voxels, least_slope(chosen), on_warning)
    return Volume(voxels=voxels, affine=geometry.ras_to_lps(affine))


def inspect_dicom(
    instances: Iterable[Instance], on_warning: OnWarning, *, series: str | None = None
) -> list[Candidate]:
    """The volumes that DICOM files hold, the largest first, each with what keeps it from being scored.

    With `series`, only those of one series. Files are looked at one after the other, and no pixels are kept.
    Raises NotAnImage, NotBrainMr, UnsupportedTransferSyntax or UnreadableVolume if there are no MR images
    that say which series they are of; InvalidParams, with all candidates, if there is no such series.
    """
    images = _look(instances, on_warning)
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

    `on_facts` is told how its voxels lie, `on_series` which series it is. Raises what `read_dicom` raises,
    with all candidates if there are several.
    """
    said: list[str] = []
    # What is said of all files is not of one series that is picked.
    images = _look(
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
    images = _look(instances, on_warning, files=files, on_series_warning=on_series_warning)
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


def _source_of(stack: Stack, frames: Sequence[Frame], affine: Affine) -> SourceSeries:
    """Which images a volume is made of; `affine` is that of the stack, in mm (LPS)."""
    first, gap_mm = stack[0], geometry.spacing_mm(affine)[2]
    places = zip(stack, frames, strict=True)
    return SourceSeries(
        subject=frames[0].image.header,
        series=first.series,
        number=first.series_number,
        frame_of_reference=first.frame_of_reference,
        shape=first.shape,
        spacing_mm=first.spacing_mm,
        thickness_mm=first.thickness_mm or gap_mm,
        gap_mm=gap_mm,
        orientation=tuple(map(float, directions(stack))),
        slices=tuple(
            SourceSlice(
                sop_class=str(frame.dataset.get("SOPClassUID") or MRImageStorage),
                sop_instance=str(frame.dataset.get("SOPInstanceUID") or ""),
                frame=frame.index + 1 if frame.is_enhanced else None,
                position=tuple(map(float, image.position)),
            )
            for image, frame in places
        ),
        transfer_syntaxes=tuple(sorted({frame.image.transfer_syntax for frame in frames})),
    )


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


def _look(
    instances: Iterable[Instance],
    on_warning: OnWarning,
    *,
    series: str | None = None,
    kept: list[Frame] | None = None,
    files: SeriesFiles | None = None,
    on_series_warning: OnSeriesWarning | None = None,
) -> Images:
    """What the headers of all MR images among some files say; of pixels, their hash.

    `kept` takes the frames of a series, or of all, in the order of the numbers of their slices; those of
    images of other series mean nothing then. `files` takes which file is of which series. Raises why if
    there are no images at all. `on_series_warning` is told what is odd about a series by itself.
    """
    found = SortedFiles(series_files=files if files is not None else SeriesFiles())
    others, images, n_others = SortedFiles(), Images(), 0
    shared = SharedValues()
    with config.disable_value_validation():
        opening = Opening(keep_pixels=kept is not None)
        for batch in in_batches(opening.all(instances)):
            added = found.add(batch)
            wanted = [file for file in added if series is None or file.origin.series == series]
            beside = [file for file in added if series is not None and file.origin.series != series]
            n_others += len(beside)
            found.n_without_series += sum(file.states_no_series for file in wanted)
            _look_into(wanted, images, found, kept, shared)
            _look_into(beside, images, others, None, shared)
    if not images and not n_others:
        raise found.nothing()
    found.warn(on_warning)
    return with_owners(images, on_series_warning or of_picked(on_warning, series))


def _look_into(
    files: list[Image], images: Images, found: SortedFiles, kept: list[Frame] | None, shared: SharedValues
) -> None:
    """Sort the images of some files into those that can be used and those that cannot."""
    frames, bad = [], []
    for file, inside in zip(files, sort_dicom(frames_of, files), strict=True):
        if isinstance(inside, InvalidInput):
            bad.append(replace(file, error=inside))
        else:
            frames += inside
    start = len(images.slices) if kept is None else len(kept)
    slices = sort_dicom(partial(slice_of, shared=shared), list(enumerate(frames, start=start)))
    for frame, image in zip(frames, slices, strict=True):
        if isinstance(image, InvalidInput):
            bad.append(replace(frame.image, error=image))
        else:
            images.slices.append(image)
    for reject in sort_dicom(partial(reject_of, shared=shared), bad):
        if isinstance(reject, InvalidInput):
            found.lose(reject)
        else:
            images.rejects.append(reject)
    if kept is not None:
        kept += frames
