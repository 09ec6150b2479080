"""DICOM instances -> Volume, or a refusal that says why.

What is not DICOM is ignored, and so is DICOM that is no MR image, as long as there are MR images. Single
images and the frames of enhanced images go the same way: `disyre.stacks` sorts them out and
`dicom_geometry` says where the volume lies; the world changes from LPS to RAS here.

Voxels come out as (column, row, slice), which is the order in which NIfTI files are usually stored.
"""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from pydicom import config

from disyre import admission, geometry, sequence, stacks
from disyre.adapters import dicom_geometry
from disyre.adapters.dicom_files import SortedFiles, map_dicom, parse_image, read_in_batches
from disyre.adapters.dicom_frames import Frame, frames_of, read_voxels, slice_of
from disyre.admission import MAX_VOXELS, OnWarning
from disyre.candidate import Candidate
from disyre.errors import InvalidInput, MultipleVolumes
from disyre.modality import Guess
from disyre.stacks import Slice, Stack
from disyre.volume import Volume

_MOST_LISTED: Final = 50
"""Candidates in one refusal."""


def read_dicom(
    instances: Iterable[bytes | Path],
    *,
    max_voxels: int = MAX_VOXELS,
    series: str | None = None,
    on_warning: OnWarning = admission.ignore,
) -> Volume:
    """Read the one volume that DICOM files hold, with rescale slope and intercept applied.

    Of several, `series` picks one by its SeriesInstanceUID. `on_warning` is told what was left out.
    Raises NotAnImage, NotBrainMr, UnsupportedTransferSyntax, UnreadableVolume, TooLarge, UnusableVolume
    or one of its subclasses.
    """
    with config.disable_value_validation():  # its warnings quote what is in the header
        found = SortedFiles()
        frames, n_others = _frames_of_series(instances, found, series)
        if not frames and not n_others:
            raise found.nothing()
        found.warn(on_warning)
        stack = stacks.find_volume(map_dicom(slice_of, list(enumerate(frames))), on_warning, series=series)
        admission.check_size((len(stack), *stack[0].shape), max_voxels=max_voxels)
        affine = dicom_geometry.affine(stack)
        voxels = read_voxels([frames[image.number] for image in stack], stack[0].shape, on_warning)
    admission.fill_non_finite(voxels, on_warning)
    return Volume(voxels=voxels, affine=geometry.ras_to_lps(affine))


def inspect_dicom(instances: Iterable[bytes | Path], on_warning: OnWarning) -> list[Candidate]:
    """The volumes that DICOM files hold, the largest first, each with what keeps it from being scored.

    Files are looked at one after the other, and no pixels are kept. Raises NotAnImage, NotBrainMr,
    UnsupportedTransferSyntax or UnreadableVolume if they are no MR images, or broken.
    """
    slices = _header_slices(instances, on_warning)
    return [_candidate(stack, on_warning) for stack in stacks.split(slices)]


def check_dicom(
    instances: Iterable[bytes | Path], *, max_voxels: int = MAX_VOXELS, series: str | None = None
) -> Guess:
    """Check by their headers that DICOM files hold one volume that can be read; what it is recognised as.

    Raises what `read_dicom` raises; MultipleVolumes has all candidates with it.
    """
    slices = _header_slices(instances, admission.ignore)
    try:
        stack = stacks.find_volume(slices, admission.ignore, series=series)
    except MultipleVolumes as error:
        candidates = [_candidate(stack, admission.ignore) for stack in stacks.split(slices)[:_MOST_LISTED]]
        raise MultipleVolumes(f"{error}; {_way_out(slices, series)}", candidates) from error
    _check_volume(stack, max_voxels)
    return _modality(stack)


def survey_dicom(
    instances: Iterable[bytes | Path], on_warning: OnWarning, *, max_voxels: int = MAX_VOXELS
) -> list[Candidate]:
    """The one volume of each series among DICOM files, or why it has none, in the order of the files.

    Raises what `inspect_dicom` raises.
    """
    slices = _header_slices(instances, on_warning)
    return [
        _volume_of_series([image for image in slices if image.series == series], on_warning, max_voxels)
        for series in dict.fromkeys(image.series for image in slices)
    ]


def _volume_of_series(slices: list[Slice], on_warning: OnWarning, max_voxels: int) -> Candidate:
    try:
        stack = stacks.find_volume(slices, on_warning)
        _check_volume(stack, max_voxels)
    except InvalidInput as error:
        return _unusable(slices, error)
    return _candidate(stack, admission.ignore)


def _check_volume(stack: Stack, max_voxels: int) -> None:
    admission.check_size((len(stack), *stack[0].shape), max_voxels=max_voxels)
    dicom_geometry.affine(stack)


def _way_out(slices: list[Slice], series: str | None) -> str:
    """What a client can do who sent several volumes."""
    if series is not None or len({image.series for image in slices}) == 1:
        return (
            "they are of one series, such as several echoes, or magnitude and phase: send one of them alone"
        )
    return "the option series_uid picks one, and /v1/studies scores each"


def _frames_of_series(
    instances: Iterable[bytes | Path], found: SortedFiles, series: str | None
) -> tuple[list[Frame], int]:
    """The frames of a series, or of all, and how many there are of others; those are not kept in memory."""
    frames: list[Frame] = []
    n_others = 0
    for batch in read_in_batches(instances):
        come = _frames(found.add(batch))
        wanted = [f for f in come if series in (None, str(f.dataset.get("SeriesInstanceUID")))]
        frames += wanted
        n_others += len(come) - len(wanted)
    return frames, n_others


def _header_slices(instances: Iterable[bytes | Path], on_warning: OnWarning) -> list[Slice]:
    """What the headers of all MR images among some files say; of pixels, their hash."""
    slices: list[Slice] = []
    found = SortedFiles()
    with config.disable_value_validation():
        for batch in read_in_batches(instances):
            frames = _frames(found.add(batch))
            slices += map_dicom(_slice_without_pixels, list(enumerate(frames, start=len(slices))))
    if not slices:
        raise found.nothing()
    found.warn(on_warning)
    return slices


def _frames(images: list[bytes]) -> list[Frame]:
    return [frame for of_image in map_dicom(frames_of, map_dicom(parse_image, images)) for frame in of_image]


def _slice_without_pixels(numbered: tuple[int, Frame]) -> Slice:
    image = slice_of(numbered)
    return replace(image, pixels=sha256(image.pixels).digest())


def _candidate(stack: Stack, on_warning: OnWarning) -> Candidate:
    try:
        ordered = stacks.in_order(stack, on_warning)
        affine = geometry.ras_to_lps(dicom_geometry.affine(ordered))
    except InvalidInput as error:
        return _unusable(stack, error)
    return Candidate(
        series_uid=stack[0].series,
        description=stacks.describe(stack),
        n=len(stack),
        shape=(*ordered[0].shape, len(ordered)),
        spacing_mm=geometry.spacing_mm(affine),
        orientation=geometry.orientation(affine),
        modality=_modality(stack),
    )


def _unusable(stack: Stack, error: InvalidInput) -> Candidate:
    return Candidate(
        series_uid=stack[0].series,
        description=stacks.describe(stack),
        n=len(stack),
        shape=None,
        spacing_mm=None,
        orientation=None,
        code=error.code,
        reason=str(error),
        modality=_modality(stack),
    )


def _modality(stack: Stack) -> Guess:
    """What the sequence of a stack makes of its images: all have the same."""
    return sequence.guess(stack[0].sequence)
