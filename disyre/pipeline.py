"""Scoring a scan, from its voxels to the anomaly map on its own grid: the steps in their order."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from disyre import brain, geometry
from disyre.bias_field import BiasField, FindBias
from disyre.course import Course
from disyre.errors import Misconfigured
from disyre.grey_rank import rank_weight
from disyre.model_manifest import Grid, ModelManifest, ScanSettings
from disyre.preparation import Preparation
from disyre.preparation_record import PreparationRecord, Swap
from disyre.progress import OnStep, Stage
from disyre.restoration import Restorer
from disyre.slice_restoration import box_to_restore, restore_slices
from disyre.smoothing import smooth_across
from disyre.stopwatch import Stopwatch
from disyre.thickness import check_thickness
from disyre.tilt import FindPose, Tilt
from disyre.types import Mask, Slices, Voxels
from disyre.volume import Volume


@dataclass(frozen=True, eq=False)
class ScoredVolume:
    """A scan's anomaly map and what belongs to it, all on the scan's own grid."""

    anomaly_map: Volume
    """0 outside the brain."""
    restored: Volume
    """The scan with what the network changes in it, in its own intensities; its background outside the brain.

    In the brain, this less the scan is the mean signed change, and the map the mean size of the changes, with
    the emphasis of the settings; a voxel that is not changed is the scan's own, however it was interpolated.
    Nothing is darker than the background.
    """
    brain_mask: Mask
    preparation: PreparationRecord
    """What was done to the scan before the network saw it."""
    timings_s: dict[str, float]
    """Seconds by stage."""


def score_volume(
    volume: Volume,
    restorer: Restorer,
    manifest: ModelManifest,
    *,
    brain_mask: Mask | None = None,
    settings: ScanSettings | None = None,
    batch_size: int = 8,
    cuts_batches: bool = True,
    find_bias: FindBias | None = None,
    find_pose: FindPose | None = None,
    course: Course | None = None,
) -> ScoredVolume:
    """Score a scan with a network.

    Without a `brain_mask` (native grid) the scan has to be skull-stripped. `settings` replace the manifest's
    own. `batch_size` is the number of slices, or windows, of one network call; with `cuts_batches` each is
    cut to what there is of the brain in it, if the network allows that, so calls come in many shapes.
    The `course` is told of every stage, every network call and, between, of smaller steps; to stop, let the
    one raise whom it tells. `find_bias` and `find_pose` are needed for settings that ask for them; with
    `find_pose`, the tilt of the head is always measured.

    Raises InvalidInput for a scan that cannot be scored, Misconfigured for settings without what
    they need.
    """
    settings = settings or manifest.scan
    watch, course = Stopwatch(), course or Course()
    stage = partial(_stage, watch, course)
    check_thickness(volume.shape)
    inside = brain.stripped_mask(volume) if brain_mask is None else brain_mask
    field = tilt = None
    swaps: list[Swap] = []
    if settings.bias_correction:
        with stage("correcting-bias"):
            field = _bias_field(volume, inside, find_bias)
    if find_pose is not None or settings.align:
        with stage("measuring-tilt"):
            tilt = _tilt(volume, inside, find_pose, swaps.append, course.again)
    with stage("preparing"):
        prepared = _prepare(
            volume, inside, manifest.grid, settings, field=field, tilt=tilt, on_step=course.again
        )
        box = box_to_restore(prepared.mask, manifest.grid.stride, settings)
        slices = box.cut(prepared.voxels)
    with watch.stage("restoring"):
        cut_to = manifest.grid.stride if cuts_batches and manifest.grid.frame_invariant else None
        restored, residual = restore_slices(
            restorer, slices, settings, batch_size=batch_size, cut_to=cut_to, course=course
        )
    with stage("scoring"):
        residual = _smooth(residual, slices, prepared, settings.across_slices_mm)
        if settings.emphasis is not None:
            residual *= rank_weight(slices, settings.emphasis)
        anomaly_map = prepared.to_scan(box.paste(residual), on_step=course.again)
        change = prepared.to_scan(box.paste(restored - slices), on_step=course.again)
        healthy = _healthy(volume, change, prepared, field)
    return ScoredVolume(
        anomaly_map=volume.with_voxels(anomaly_map),
        restored=volume.with_voxels(healthy),
        brain_mask=prepared.seen,
        preparation=_describe(prepared, volume, field, tilt, swaps),
        timings_s=watch.timings_s,
    )


@contextmanager
def _stage(watch: Stopwatch, course: Course, name: Stage) -> Iterator[None]:
    """Announce a stage, and measure what is done inside the block."""
    with watch.stage(name):
        course.begin(name)
        yield


def _bias_field(volume: Volume, brain_mask: Mask, find_bias: FindBias | None) -> BiasField:
    if find_bias is None:
        raise Misconfigured("expected something that finds shading, for bias_correction; got nothing")
    return BiasField.measure(volume, brain_mask, brain.background(volume), find_bias)


def _tilt(
    volume: Volume,
    brain_mask: Mask,
    find_pose: FindPose | None,
    on_swap: Callable[[Swap], None],
    on_step: OnStep,
) -> Tilt | None:
    if find_pose is None:
        raise Misconfigured("expected something that finds how a head lies, for align; got nothing")
    if brain.is_more_than_brain(brain_mask, volume):  # where its nose is nobody knows
        return None
    return Tilt.measure(volume, brain_mask, find_pose, on_swap=on_swap, on_step=on_step)


def _prepare(
    volume: Volume,
    brain_mask: Mask,
    grid: Grid,
    settings: ScanSettings,
    *,
    field: BiasField | None,
    tilt: Tilt | None,
    on_step: OnStep,
) -> Preparation:
    """The brain on the model's grid, without its shading; upright if it is tilted too far for the model."""
    to_turn = settings.align and tilt is not None and tilt.angle_deg > grid.max_tilt_deg
    return Preparation.of(
        volume if field is None else field.remove(volume, brain.background(volume)),
        brain_mask,
        settings.intensity,
        spacing_mm=grid.spacing_mm,
        slice_axis=None if settings.intensity.over == "frame" else grid.slice_axis,
        turn=tilt.turn if tilt is not None and to_turn else None,
        on_step=on_step,
    )


def _smooth(residual: Slices, slices: Slices, prepared: Preparation, sigma_mm: float) -> Slices:
    """The residual, smoothed from slice to slice; as it is for a sigma of 0."""
    if sigma_mm <= 0:
        return residual
    slice_mm = geometry.spacing_mm(prepared.grid.model_affine)[2]
    return smooth_across(residual, slices > 0, sigma_mm / slice_mm)


def _healthy(volume: Volume, change: Voxels, prepared: Preparation, field: BiasField | None) -> Voxels:
    """The scan with a change (on its own grid, normalised) made to it; the background around the brain."""
    change = prepared.scale.denormalize(change)
    if field is not None:
        change *= field.factor
    black = np.float32(prepared.black)
    return np.where(prepared.seen, np.maximum(volume.voxels + change, black), black)


def _describe(
    prepared: Preparation,
    volume: Volume,
    field: BiasField | None,
    tilt: Tilt | None,
    swaps: Sequence[Swap],
) -> PreparationRecord:
    return prepared.describe(
        volume,
        bias_field=None if field is None else field.range,
        tilt_deg=None if tilt is None else tilt.describe(),
        swapped=swaps[0] if swaps else None,
    )
