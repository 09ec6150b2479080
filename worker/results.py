"""The files that a scored scan gives."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from disyre.adapters.derived_dicom import DerivedDicom, Kind
from disyre.adapters.dicom_results import warnings_of_subject, write_dicom_results
from disyre.adapters.nifti_write import write_nifti
from disyre.adapters.preview import write_preview
from disyre.adapters.source_series import SourceSeries
from disyre.job import Artifact
from disyre.outputs import Output
from disyre.pipeline import ScoredVolume
from disyre.progress import OnStep
from disyre.result_names import (
    ANOMALY_MAP,
    BRAIN_MASK,
    COLOUR_CAPTURES,
    PARAMETRIC_MAP,
    PREVIEW,
    REPORT,
    RESTORED,
    SCAN,
    SEGMENTATION,
    SUMMARY,
)
from disyre.summary_record import Summary
from disyre.volume import Volume

_DICOM: Final[dict[Output, Kind]] = {"pm": "pm", "seg": "seg", "sc": "sc", "sr": "sr"}
_KINDS: Final = {
    ANOMALY_MAP: ("anomaly-map", "application/gzip"),
    SCAN: ("scan", "application/gzip"),
    RESTORED: ("restored", "application/gzip"),
    BRAIN_MASK: ("brain-mask", "application/gzip"),
    PREVIEW: ("preview", "image/png"),
    PARAMETRIC_MAP: ("parametric-map", "application/dicom"),
    SEGMENTATION: ("segmentation", "application/dicom"),
    COLOUR_CAPTURES: ("secondary-capture", "application/zip"),
    REPORT: ("structured-report", "application/dicom"),
    SUMMARY: ("summary", "application/json"),
}


def write_volumes(
    folder: Path, volume: Volume, scored: ScoredVolume, outputs: Collection[Output], *, on_step: OnStep
) -> None:
    """Write those of the map, the scan, the restored scan and the brain mask that are wanted, on one grid.

    `on_step` is called after every slice.
    """
    if "nifti" in outputs:
        write_nifti(folder / ANOMALY_MAP, scored.anomaly_map, on_step=on_step)
    if "scan" in outputs:
        write_nifti(folder / SCAN, volume, dtype=_least_type(volume), on_step=on_step)
    if "restored" in outputs:
        write_nifti(folder / RESTORED, scored.restored, on_step=on_step)
    if "mask" in outputs:
        mask = scored.anomaly_map.with_voxels(scored.brain_mask.astype(np.float32))
        write_nifti(folder / BRAIN_MASK, mask, dtype=np.uint8, on_step=on_step)


def _least_type(volume: Volume) -> npt.DTypeLike:
    """The smallest type that is read everywhere and holds the scan exactly: most scanners count in int16."""
    limits = np.iinfo(np.int16)
    voxels = volume.voxels
    fits = voxels.min() >= limits.min and voxels.max() <= limits.max
    return np.int16 if fits and np.array_equal(voxels, np.rint(voxels)) else np.float32


def write_picture(
    folder: Path, volume: Volume, scored: ScoredVolume, summary: Summary, outputs: Collection[Output]
) -> None:
    """Write the preview, if it is wanted."""
    if "png" in outputs:
        write_preview(folder / PREVIEW, volume, scored, summary)


def write_dicom(
    folder: Path,
    derived: DerivedDicom,
    volume: Volume,
    scored: ScoredVolume,
    summary: Summary,
    outputs: Collection[Output],
    *,
    on_step: OnStep,
) -> None:
    """Write what is wanted as DICOM; `on_step` is called now and then."""
    kinds = [kind for output, kind in _DICOM.items() if output in outputs]
    write_dicom_results(folder, derived, volume, scored, summary, kinds, on_step=on_step)


def warnings_of_dicom(series: SourceSeries | None, outputs: Collection[Output]) -> tuple[str, ...]:
    """What is to be known of what is written as DICOM, if anything is."""
    is_wanted = series is not None and not _DICOM.keys().isdisjoint(outputs)
    return warnings_of_subject(series) if series is not None and is_wanted else ()


def write_summary(folder: Path, summary: Summary) -> None:
    """Write the summary, as JSON."""
    (folder / SUMMARY).write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")


def describe(folder: Path) -> tuple[Artifact, ...]:
    """Size and SHA-256 of the results that there are, in the order in which they are listed."""
    return tuple(
        _describe(folder / name, kind, media_type)
        for name, (kind, media_type) in _KINDS.items()
        if (folder / name).exists()
    )


def _describe(path: Path, kind: str, media_type: str) -> Artifact:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Artifact(
        name=path.name, kind=kind, media_type=media_type, size_bytes=path.stat().st_size, sha256=digest
    )
