"""Scoring a scan, from its voxels to the anomaly map on its own grid: the steps in their order."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from disyre import brain, geometry
from disyre.bias_field import BiasField, FindBias
from disyre.errors import Misconfigured
from disyre.job import Progress
from disyre.model_package import Mode, ModelManifest, ScanSettings
from disyre.preparation import Preparation, PreparationRecord
from disyre.restoration import (
    Restoration,
    RestorationLoop,
    Restorer,
    Step,
    restore_ensemble,
    restore_stepwise,
)
from disyre.smoothing import smooth_across
from disyre.stopwatch import Stopwatch
from disyre.thickness import check_thickness
from disyre.tilt import FindPose, Tilt
from disyre.types import Batch, Mask, Slices
from disyre.volume import Volume
from disyre.windows import BrainBox, WindowGrid

OnProgress = Callable[[Progress], None]

_LOOPS: Final[dict[Mode, RestorationLoop]] = {"ensemble": restore_ensemble, "stepwise": restore_stepwise}
_BEFORE: Final = 0.05
_AFTER: Final = 0.90
"""Shares of a job's progress at which the restoration begins and ends."""


@dataclass(frozen=True, eq=False)
class ScoredVolume:
    """A scan's anomaly map and what belongs to it, all on the scan's own grid."""

    anomaly_map: Volume
    """0 outside the brain."""
    restored: Volume
    """The scan with what the network changes in it, in its own intensities; its background outside the brain.

    In the brain, this less the scan is the mean signed change, and the map the mean size of the changes; a
    voxel that is not changed is the scan's own, however it was interpolated. Nothing is darker than the
    background.
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
    find_bias: FindBias | None = None,
    find_pose: FindPose | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> ScoredVolume:
    """Score a scan with a network.

    Without a `brain_mask` (native grid) the scan has to be skull-stripped. `settings` replace the manifest's
    own. `batch_size` is the number of slices, or windows, of one network call. `on_progress` is called at
    every stage and after every network call; to stop, let it raise. `find_bias` and `find_pose` are needed
    for settings that ask for them; with `find_pose`, the tilt of the head is always measured.

    Raises InvalidInput for a scan that cannot be scored, Misconfigured for settings without what
    they need.
    """
    settings = settings or manifest.scan
    watch = Stopwatch()
    check_thickness(volume.shape)
    inside = brain.stripped_mask(volume) if brain_mask is None else brain_mask
    field = None
    if settings.bias_correction:
        with watch.stage("correcting-bias"):
            on_progress(Progress(stage="correcting-bias", fraction=0.02))
            field = _bias_field(volume, inside, find_bias)
    tilt = None
    if find_pose is not None or settings.align:
        with watch.stage("measuring-tilt"):
            on_progress(Progress(stage="measuring-tilt", fraction=0.03))
            tilt = _tilt(volume, inside, find_pose)
    with watch.stage("preparing"):
        on_progress(Progress(stage="preparing", fraction=0.04))
        to_turn = settings.align and tilt is not None and tilt.angle_deg > manifest.grid.max_tilt_deg
        prepared = Preparation.of(
            volume if field is None else field.remove(volume, brain.background(volume)),
            inside,
            settings.intensity,
            spacing_mm=manifest.grid.spacing_mm,
            slice_axis=None if settings.intensity.over == "frame" else manifest.grid.slice_axis,
            turn=tilt.turn if tilt is not None and to_turn else None,
        )
        box = _box(prepared.mask, manifest.grid.stride, settings)
        slices = box.cut(prepared.voxels)
    with watch.stage("restoring"):
        restored, residual = _restore_slices(restorer, slices, settings, batch_size, on_progress)
    with watch.stage("scoring"):
        on_progress(Progress(stage="scoring", fraction=_AFTER))
        if settings.across_slices_mm > 0:
            slice_mm = geometry.spacing_mm(prepared.grid.model_affine)[2]
            residual = smooth_across(residual, slices > 0, settings.across_slices_mm / slice_mm)
        anomaly_map = prepared.to_scan(box.paste(residual))
        change = prepared.scale.denormalize(prepared.to_scan(box.paste(restored - slices)))
        if field is not None:
            change *= field.factor
        black = np.float32(prepared.black)
        healthy = np.where(prepared.seen, np.maximum(volume.voxels + change, black), black)
    return ScoredVolume(
        anomaly_map=volume.with_voxels(anomaly_map),
        restored=volume.with_voxels(healthy),
        brain_mask=prepared.seen,
        preparation=prepared.describe(
            volume,
            bias_field=None if field is None else field.range,
            tilt_deg=None if tilt is None else tilt.describe(),
        ),
        timings_s=watch.timings_s,
    )


def _bias_field(volume: Volume, brain_mask: Mask, find_bias: FindBias | None) -> BiasField:
    if find_bias is None:
        raise Misconfigured("expected something that finds shading, for bias_correction; got nothing")
    return BiasField.measure(volume, brain_mask, brain.background(volume), find_bias)


def _tilt(volume: Volume, brain_mask: Mask, find_pose: FindPose | None) -> Tilt | None:
    if find_pose is None:
        raise Misconfigured("expected something that finds how a head lies, for align; got nothing")
    if brain.is_more_than_brain(brain_mask, volume):  # where its nose is nobody knows
        return None
    return Tilt.measure(volume, brain_mask, find_pose)


def _restore_slices(
    restorer: Restorer, slices: Slices, settings: ScanSettings, batch_size: int, on_progress: OnProgress
) -> tuple[Slices, Slices]:
    """Restored slices and their residual, whole or through windows."""
    edges = (slices.shape[1], slices.shape[2])
    windows = None
    if settings.windows is not None:
        windows = WindowGrid.over(edges, window=settings.windows.window, stride=settings.windows.stride)
    batch = slices[:, np.newaxis] if windows is None else windows.cut(slices)
    restored, residual = _restore_batches(restorer, batch, settings, batch_size, on_progress)
    if settings.foreground_weight:
        residual *= (batch > 0).mean(axis=(1, 2, 3), keepdims=True, dtype=np.float32)
    if windows is None:
        return restored[:, 0], residual[:, 0]
    return windows.blend(restored), windows.blend(residual)


def _restore_batches(
    restorer: Restorer, batch: Batch, settings: ScanSettings, batch_size: int, on_progress: OnProgress
) -> tuple[Batch, Batch]:
    """Run the loop over a few slices at a time, so that memory does not grow with the scan."""
    restored, residual = np.empty_like(batch), np.empty_like(batch)
    starts = range(0, len(batch), batch_size)
    report = _StepReport(len(starts) * len(settings.severities), on_progress)
    for start in starts:
        part = slice(start, start + batch_size)
        done: Restoration = _LOOPS[settings.mode](
            restorer,
            batch[part],
            settings.severities,
            told_severities=settings.told_severities,
            on_step=report,
        )
        restored[part], residual[part] = done.restored, done.residual
    return restored, residual


@dataclass
class _StepReport:
    """Turns the steps of many batches into the progress of one scan."""

    steps: int
    on_progress: OnProgress
    step: int = 0
    start: float = field(default_factory=time.perf_counter)

    def __call__(self, step: Step) -> None:
        self.step += 1
        share = self.step / self.steps
        eta_s = (time.perf_counter() - self.start) * (1 / share - 1)
        fraction = _BEFORE + (_AFTER - _BEFORE) * share
        self.on_progress(
            Progress(
                stage="restoring", step=self.step, steps=self.steps, fraction=fraction, eta_s=round(eta_s, 1)
            )
        )


def _box(model_mask: Mask, stride: int, settings: ScanSettings) -> BrainBox:
    """The brain's box, with edges at which both the network and the windows end."""
    if settings.windows is None:
        return BrainBox.around(model_mask, stride=stride)
    window = settings.windows
    return BrainBox.around(model_mask, stride=math.lcm(stride, window.stride), least=window.window)
