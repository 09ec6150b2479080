"""DICOM instances -> Volume, or a refusal that says why.

`disyre.stacks` sorts out the images that `dicom_look` finds, and `dicom_geometry` says where the volume lies;
the world changes from LPS to RAS here.

Voxels come out as (column, row, slice), which is the order in which NIfTI files are usually stored.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from pydicom import config
from pydicom.uid import MRImageStorage

from disyre import admission, geometry
from disyre.adapters import dicom_geometry
from disyre.adapters.dicom_frames import Frame
from disyre.adapters.dicom_look import look
from disyre.adapters.dicom_opening import Instance
from disyre.adapters.dicom_voxels import least_slope, read_voxels
from disyre.adapters.source_series import SourceSeries, SourceSlice
from disyre.admission import MAX_VOXELS, OnWarning
from disyre.inversion import check_slope
from disyre.series import find_volume
from disyre.stacks import Stack, directions
from disyre.types import Affine
from disyre.volume import Volume

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
        images = look(instances, on_warning, series=series, kept=frames)
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
