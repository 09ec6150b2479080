"""MODEL_CARD.md, written from facts: manifest, config, split and what was measured."""

from collections.abc import Sequence
from typing import Final

from disyre import INTENDED_USE
from disyre.model_package import ModelManifest
from model_export.config import TrainingConfig
from model_export.run_folder import Split

_CARD: Final = """# {name}/{version}

**{intended_use}**

A network that estimates the healthy image behind a {modality} slice; what it changes is the anomaly map.
Method: DISYRE (ISBI 2024) and DISYRE v2 (MICCAI 2024), an implementation of its own.

| | |
|---|---|
| modality | {modality}, skull-stripped or with a brain mask |
| grid | {spacing_mm:g} mm, {orientation}, axial slices, edges multiples of {stride} |
| size | {n_parameters:,} parameters, {gflop:.2f} GFLOP for a patch of 128 x 128 |
| intensities | 0 stays 0, the {percentile:g}th percentile of the brain becomes 1, clipped |
| input | `image` float32 [batch, 1, height, width] in [0, 1], `condition` int64 [batch] |
| output | `restored` float32 [batch, 1, height, width], not clamped |
| scoring | {mode}, severities {severities} |
| made | {created_at} |
| SHA-256 | `{sha256}` |
| licence of the weights | {licence} |

## Trained on

{data}

{n_train} scans for training; {n_held_back} held back for the figures below and the calibration:
{held_back}. No scan with a lesion was used for anything.

Every patch was augmented (rotation, zoom, bending, mirrors, gamma, shading, noise, blur) and then corrupted:
{p_dag:.0%} DAG, {p_fpi:.0%} FPI, {p_fill:.0%} homogeneous fill, {p_clean:.0%} left clean;
up to {max_anomalies} anomalies in a patch.
{patches:,} patches of {patch_px} x {patch_px} in {hours:.1f} h on {device}
({precision}, batches of {batch_size}, seed {seed}, commit `{commit}`).

## How good it is

Whole slices of the scans that were held back, with synthetic anomalies. 1 is doing nothing, less is better.

| squared error after restoring / before | |
|---|---|
| DAG, told the severity | **{dag_mse_ratio:.3f}** |
| FPI, told the severity | **{fpi_mse_ratio:.3f}** |
| DAG, mean over the scan's severities (as a scan is scored) | {dag_ensemble_mse_ratio:.3f} |
| FPI, mean over the scan's severities | {fpi_ensemble_mse_ratio:.3f} |
| mean absolute change of healthy slices, told that they are clean | {clean_mae:.4f} |
| torch and ONNX differ by at most | {torch_onnx_difference:.1e} |

A network may learn to switch itself off when told that a slice is clean: that line says nothing about false
alarms. The severities were chosen on held-back scans of t1w/1.

Calibration: {healthy_percentile:g} % of the brain voxels of {n_calibration} healthy scans that were held back
have a map value below **{threshold:.4f}**.
Their anomaly scores: {healthy_scores}.

## Limits

* A synthetic anomaly that is undone says little about real lesions, and none are measured here.
* Seen in training: {population}. Other ages
  (children; old age with its wide ventricles), scanners and protocols are outside of that, and raise the map
  without a lesion.
* The map depends on how tightly the brain is framed, up to 64 px around it. The threshold holds for frames as
  `disyre.pipeline` cuts them; around other ones, calibrate again.
* A high map value is where the image differs from what the network expects, for whatever reason: a lesion,
  an artefact, a rare normal variant, a poor brain mask.
* The threshold is from few scans of the same study; elsewhere, calibrate on healthy scans of your own.
"""


def make_card(
    manifest: ModelManifest,
    config: TrainingConfig,
    split: Split,
    *,
    commit: str,
    patches: int,
    elapsed_s: float,
    healthy_scores: Sequence[float],
) -> str:
    """The text of the card. `manifest.metrics` holds the figures of validation."""
    corruption = config.corruption
    return _CARD.format(
        **manifest.metrics,
        name=manifest.name,
        version=manifest.version,
        intended_use=INTENDED_USE,
        modality=manifest.modality,
        spacing_mm=manifest.grid.spacing_mm,
        orientation=manifest.grid.orientation,
        stride=manifest.grid.stride,
        n_parameters=manifest.n_parameters,
        gflop=manifest.gflop_per_patch,
        percentile=manifest.scan.intensity.percentile,
        mode=manifest.scan.mode,
        severities=", ".join(f"{s:g}" for s in manifest.scan.severities),
        created_at=manifest.created_at.date().isoformat(),
        sha256=manifest.sha256,
        licence=manifest.licence,
        data="\n".join(
            f"* {d.name}: {d.n_scans} scans, licence {d.licence}" + (f", {d.url}" if d.url else "")
            for d in manifest.training_data
        ),
        n_train=len(split.trained_on),
        n_held_back=len(split.held_back),
        held_back=", ".join(split.held_back),
        p_dag=1 - corruption.p_fpi - corruption.p_fill - corruption.p_clean,
        p_fpi=corruption.p_fpi,
        p_fill=corruption.p_fill,
        p_clean=corruption.p_clean,
        max_anomalies=corruption.max_anomalies,
        patches=patches,
        patch_px=config.patch_px,
        hours=elapsed_s / 3600,
        device=config.device.upper(),
        precision=config.precision,
        batch_size=config.batch_size,
        seed=config.seed,
        commit=commit,
        healthy_percentile=manifest.calibration.healthy_percentile,
        n_calibration=manifest.calibration.n_scans,
        threshold=manifest.calibration.threshold,
        healthy_scores=", ".join(f"{s:.3f}" for s in healthy_scores),
        population=config.population,
    )
