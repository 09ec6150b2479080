"""The files that a scored scan gives."""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np

from disyre.adapters.nifti_write import write_nifti
from disyre.adapters.preview import write_preview
from disyre.job import Artifact
from disyre.pipeline import ScoredVolume
from disyre.progress import OnStep
from disyre.result_names import ANOMALY_MAP, BRAIN_MASK, PREVIEW, RESTORED, SUMMARY
from disyre.summary_record import Summary
from disyre.volume import Volume

_KINDS: Final = {
    ANOMALY_MAP: ("anomaly-map", "application/gzip"),
    RESTORED: ("restored", "application/gzip"),
    BRAIN_MASK: ("brain-mask", "application/gzip"),
    PREVIEW: ("preview", "image/png"),
    SUMMARY: ("summary", "application/json"),
}


def write_volumes(folder: Path, scored: ScoredVolume, *, on_step: OnStep) -> None:
    """Write the map, the restored scan and the brain mask, on the grid of the scan.

    `on_step` is called after every slice.
    """
    mask = scored.anomaly_map.with_voxels(scored.brain_mask.astype(np.float32))
    write_nifti(folder / ANOMALY_MAP, scored.anomaly_map, on_step=on_step)
    write_nifti(folder / RESTORED, scored.restored, on_step=on_step)
    write_nifti(folder / BRAIN_MASK, mask, dtype=np.uint8, on_step=on_step)


def write_picture(folder: Path, volume: Volume, scored: ScoredVolume, summary: Summary) -> None:
    """Write the preview."""
    write_preview(folder / PREVIEW, volume, scored, summary)


def write_summary(folder: Path, summary: Summary) -> None:
    """Write the summary, as JSON."""
    (folder / SUMMARY).write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")


def describe(folder: Path) -> tuple[Artifact, ...]:
    """Size and SHA-256 of all results, in the order in which they are listed."""
    return tuple(_describe(folder / name, kind, media_type) for name, (kind, media_type) in _KINDS.items())


def _describe(path: Path, kind: str, media_type: str) -> Artifact:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Artifact(
        name=path.name, kind=kind, media_type=media_type, size_bytes=path.stat().st_size, sha256=digest
    )
