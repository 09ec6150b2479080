"""DICOM series that were scored: what came of them, as files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset

from disyre.adapters.derived_dicom import DerivedDicom, Kind
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.dicom_results import write_dicom_results
from disyre.adapters.source_series import SourceSeries
from disyre.pipeline import ScoredVolume
from disyre.scan_record import BrainSource, ScanSource
from disyre.summary import summarize
from disyre.summary_record import Summary
from disyre.volume import Volume
from tests import dicom_phantom as phantom
from tests.builders import make_manifest, make_record, make_settings
from tests.dicom_phantom import encoded, make_enhanced, make_mosaic, make_series

SHAPE: Final = (24, 20)
THRESHOLD: Final = 0.1
MADE_AT: Final = datetime(2026, 3, 1, 23, 59, 58, 250_000)
WARNINGS: Final = (
    "the head is turned by 28 degrees; the network was trained with heads turned by up to 15",
    "7.4 % of the brain are above the threshold, where healthy scans like those of the training have 0.5 %: "
    "something large is anomalous, or the scan as a whole differs, such as in scanner, contrast or shading",
)
_SPECK_ABOVE: Final = 0.3
_LESION_ABOVE: Final = 0.5

SERIES: Final[dict[str, Callable[[], Sequence[FileDataset]]]] = {
    "axial": lambda: make_series(8, shape=SHAPE),
    "coronal": lambda: make_series(8, shape=SHAPE, orientation=phantom.CORONAL),
    "sagittal, backwards": lambda: make_series(8, shape=SHAPE, orientation=phantom.SAGITTAL)[::-1],
    "double oblique, thick": lambda: make_series(
        8, shape=SHAPE, orientation=phantom.DOUBLE_OBLIQUE, gap_mm=6.0
    ),
    "enhanced, double oblique": lambda: [
        make_enhanced(make_series(8, shape=SHAPE, orientation=phantom.DOUBLE_OBLIQUE))
    ],
    "enhanced, from top to bottom": lambda: [make_enhanced(make_series(8, shape=SHAPE)[::-1])],
    "mosaic": lambda: [make_mosaic(make_series(8, shape=SHAPE))],
    "two enhanced images": lambda: [
        make_enhanced(make_series(8, shape=SHAPE)[:4]),
        make_enhanced(make_series(8, shape=SHAPE)[4:]),
    ],
    "two enhanced images, slice by slice in turn": lambda: [
        make_enhanced(make_series(8, shape=SHAPE)[::2]),
        make_enhanced(make_series(8, shape=SHAPE)[1::2]),
    ],
}


@dataclass(frozen=True)
class Scored:
    """A series that was scored, and the folder with its results as DICOM."""

    images: Sequence[FileDataset]
    volume: Volume
    scored: ScoredVolume
    summary: Summary
    series: SourceSeries
    folder: Path

    @property
    def above(self) -> npt.NDArray[np.bool_]:
        """Where the map is above the threshold, (column, row, slice)."""
        return np.asarray((self.scored.anomaly_map.voxels > THRESHOLD) & self.scored.brain_mask)


def score(
    images: Sequence[FileDataset],
    folder: Path,
    *,
    identity: str = "job",
    kinds: Sequence[Kind] = ("pm", "seg", "sc", "sr"),
    has_lesions: bool = True,
    has_speck: bool = True,
    warnings: tuple[str, ...] = WARNINGS,
    contrast: str = "T1w",
) -> Scored:
    """Results of a series with a map that is another number in each voxel, two regions and a speck."""
    told: list[SourceSeries] = []
    volume = read_dicom(encoded(images), on_images=told.append)
    values = np.random.default_rng(0).random(volume.shape).astype(np.float32) * np.float32(THRESHOLD / 2)
    if has_lesions:
        values[3:9, 4:9, 1:4] += _LESION_ABOVE
        values[14:19, 10:14, 4:7] += _LESION_ABOVE
        values[1, 18, 7] += _SPECK_ABOVE * has_speck
    brain = np.ones(volume.shape, dtype=np.bool_)
    scored = ScoredVolume(volume.with_voxels(values), volume, brain, make_record(volume), {})
    summary = summarize(
        volume,
        scored,
        make_manifest(),
        settings=make_settings(),
        threshold=THRESHOLD,
        provider="CPUExecutionProvider",
        source=ScanSource(position="dicom", images=told[0].record),
        brain=BrainSource(mask="given"),
        timings_s={},
    ).model_copy(update={"warnings": warnings})
    made_by = summary.model.model_copy(update={"modality": contrast})
    derived = DerivedDicom(told[0], identity, made_by, MADE_AT)
    write_dicom_results(folder, derived, volume, scored, summary, kinds)
    return Scored(images, volume, scored, summary, told[0], folder)
