"""What is in DICOM files: the headers of all MR images among them, with a hash of the pixels of each.

What is not DICOM is ignored, and so is DICOM that is no MR image, as long as there are MR images. Single
images and the frames of enhanced images go the same way.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from pydicom import config

from disyre.adapters.dicom_files import SortedFiles, in_batches, sort_dicom
from disyre.adapters.dicom_frames import Frame, frames_of, reject_of, slice_of
from disyre.adapters.dicom_image import Image
from disyre.adapters.dicom_opening import Instance, Opening
from disyre.admission import OnWarning
from disyre.errors import InvalidInput
from disyre.owners import with_owners
from disyre.series import Images
from disyre.series_files import SeriesFiles
from disyre.series_warnings import OnSeriesWarning, of_picked
from disyre.shared_values import SharedValues


def look(
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
