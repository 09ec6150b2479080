"""What is said of a scored scan: `summary.json`."""

from dataclasses import asdict

import numpy as np

from disyre import scoring
from disyre.bias_settings import BiasSettings
from disyre.healthy_comparison import HealthyComparison
from disyre.modality import Guess
from disyre.model_manifest import ModelManifest, ScanSettings
from disyre.pipeline import ScoredVolume
from disyre.preparation_record import PreparationRecord
from disyre.scan_record import BrainSource, MaskSource, ScanSource
from disyre.summary_record import ModelSummary, RegionSummary, ScanSummary, Summary
from disyre.volume import Volume

_PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
_OTHER_SETTINGS = "the threshold was calibrated for the model's own settings, and not for those of this job"
_MUCH_ABOVE = 0.1
"""Share of the brain above the threshold that no lesion explains as well as an unsuitable scan."""
_MORE_THAN_HEALTHY = 4.0
"""So many times the share of healthy scans is worth a word."""
_OUT_OF_PLACE = (
    "{percent:.0f} % of the brain are above the threshold: the scan as a whole differs from what the model "
    "was trained on, such as in contrast, scanner or shading, and single regions mean little"
)
_MORE_ABOVE = (
    "{percent:.1f} % of the brain are above the threshold, where healthy scans like those of the training "
    "have {healthy:.1f} %: something large is anomalous, or the scan as a whole differs, such as in scanner, "
    "contrast or shading"
)
_OR_MASK = (
    "; or the mask that was sent does not fit the brain: what lies outside of it is cut away before the "
    "model looks, and a brain that is cut is unlike those that it knows"
)

_COARSE = 1.5
_BETWEEN_VOXELS = (
    "the scan's voxels are {coarsest:.1f} mm long in a direction that lies in the axial slices which the "
    "model looks at; what it saw was interpolated, and the map is blurred in that direction"
)

_TILTED = (
    "the head is turned by {tilt.angle:.0f} degrees against the slices of the scan (pitch {tilt.pitch:.0f}, "
    "roll {tilt.roll:.0f}, yaw {tilt.yaw:.0f}), the model was trained with heads turned by up to "
    "{limit:g}; with the option align, it is turned upright before"
)
_SWAPPED = (
    "the brain has the shape of an upright one only with {swapped} swapped, so how the head lies was not "
    "measured: the scan's header may be wrong, and left and right may be too"
)
_NOT_ALIGNED = (
    "how the head lies cannot be told from the shape of the brain, so the scan was scored as it lies, "
    "without the option align"
)
_RESLICED = (
    "the scan's voxels are {coarsest:.1f} mm long in one direction, and the head was turned upright: all "
    "slices that the model looked at were interpolated"
)


def summarize(
    volume: Volume,
    scored: ScoredVolume,
    manifest: ModelManifest,
    *,
    settings: ScanSettings,
    threshold: float | None,
    provider: str,
    source: ScanSource,
    brain: BrainSource,
    bias_settings: BiasSettings | None = None,
    modality: Guess | None = None,
    timings_s: dict[str, float],
    warnings: tuple[str, ...] = (),
) -> Summary:
    """Say what was found in a scan. Without a `threshold`, the model's calibrated one is taken.

    `bias_settings` are those with which shading is looked for, where that was asked for.
    """
    values = scored.anomaly_map.voxels[scored.brain_mask]
    # Upright is how the heads lay that the threshold is from.
    as_calibrated = settings.model_copy(update={"align": manifest.scan.align}) == manifest.scan
    is_calibrated = threshold is None and as_calibrated
    if threshold is None and not is_calibrated:
        warnings = (*warnings, _OTHER_SETTINGS)
    limit = manifest.calibration.threshold if threshold is None else threshold
    regions = scoring.find_regions(scored.anomaly_map, scored.brain_mask, limit)
    share = float(np.mean(values > limit))
    healthy_share = 1 - manifest.calibration.healthy_percentile / 100 if is_calibrated else None
    percentiles = np.percentile(values, _PERCENTILES)
    score = scoring.anomaly_score(scored.anomaly_map, scored.brain_mask)
    compared = HealthyComparison.of(score, regions.volume_ml, manifest.calibration)
    return Summary(
        anomaly_score=score,
        max=float(values.max()),
        mean=float(values.mean(dtype=np.float64)),
        percentiles={f"p{p:g}": float(value) for p, value in zip(_PERCENTILES, percentiles, strict=True)},
        threshold=limit,
        threshold_source="calibration" if threshold is None else "request",
        healthy_percentile=manifest.calibration.healthy_percentile if is_calibrated else None,
        volume_above_threshold_ml=regions.volume_ml,
        share_above_threshold=share,
        healthy_share_above_threshold=healthy_share,
        healthy_comparison=compared if is_calibrated else None,
        least_region_ml=scoring.LEAST_REGION_ML,
        n_regions=regions.n_regions,
        regions=tuple(RegionSummary(**asdict(region)) for region in regions.listed),
        model=ModelSummary.model_validate(manifest.model_dump(include=set(ModelSummary.model_fields))),
        provider=provider,
        scan=_describe(volume, scored, source, brain, modality),
        preparation=scored.preparation,
        bias_correction=bias_settings if scored.preparation.bias_field is not None else None,
        settings=settings,
        timings_s=timings_s,
        warnings=(
            *warnings,
            *_warn_of_tilt(scored.preparation, settings, manifest.grid.max_tilt_deg),
            *_warn_of_slices(scored.preparation),
            *_warn_of_share(share, healthy_share, brain.mask),
        ),
    )


def _warn_of_tilt(preparation: PreparationRecord, settings: ScanSettings, limit_deg: float) -> list[str]:
    """Says so if the network saw a head that is turned further than those it was trained with."""
    tilt = preparation.tilt_deg
    if tilt is None:
        swapped = [] if preparation.swapped is None else [_SWAPPED.format(swapped=preparation.swapped)]
        return [*swapped, *([_NOT_ALIGNED] if settings.align else [])]
    if preparation.aligned or tilt.angle <= limit_deg:
        return []
    return [_TILTED.format(tilt=tilt, limit=limit_deg)]


def _warn_of_slices(preparation: PreparationRecord) -> list[str]:
    """Says so if most of what the network saw lies between voxels of the scan."""
    coarsest = max(preparation.spacing_mm)
    if preparation.own_slices or coarsest < _COARSE * min(preparation.model_spacing_mm):
        return []
    return [(_RESLICED if preparation.aligned else _BETWEEN_VOXELS).format(coarsest=coarsest)]


def _warn_of_share(share: float, healthy_share: float | None, mask: MaskSource) -> list[str]:
    """Says so if more of the brain is above the threshold than a lesion or a healthy scan explains."""
    or_mask = _OR_MASK if mask == "given" else ""
    if share > _MUCH_ABOVE:
        return [_OUT_OF_PLACE.format(percent=100 * share) + or_mask]
    if healthy_share is not None and share > _MORE_THAN_HEALTHY * healthy_share:
        return [_MORE_ABOVE.format(percent=100 * share, healthy=100 * healthy_share) + or_mask]
    return []


def _describe(
    volume: Volume,
    scored: ScoredVolume,
    source: ScanSource,
    brain: BrainSource,
    modality: Guess | None,
) -> ScanSummary:
    return ScanSummary(
        shape=volume.shape,
        spacing_mm=volume.spacing_mm,
        orientation=volume.orientation,
        brain_ml=scoring.mask_volume_ml(scored.brain_mask, volume.affine),
        brain_mask=brain.mask,
        position=source.position,
        volume_index=source.volume_index,
        n_images=source.images and source.images.n,
        transfer_syntaxes=source.images and source.images.transfer_syntaxes,
        padding=source.padding,
        brain_network=brain.network,
        brain_certainty=brain.certainty,
        modality=modality,
    )
