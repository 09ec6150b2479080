"""The results of a scored DICOM scan as DICOM, in the study of the scan (IHE AI Results)."""

import logging
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom.dataset import Dataset

from disyre.adapters.colour_captures import write_colour_captures
from disyre.adapters.derived_dicom import DerivedDicom, Kind
from disyre.adapters.dicom_subject import unsure_of
from disyre.adapters.map_colours import MapColours
from disyre.adapters.measurement_report import measurement_report
from disyre.adapters.parametric_map import parametric_map
from disyre.adapters.segmentation import segmentation
from disyre.adapters.source_series import SourceSeries
from disyre.pipeline import ScoredVolume
from disyre.progress import OnStep, go_on
from disyre.result_names import COLOUR_CAPTURES, PARAMETRIC_MAP, REPORT, SEGMENTATION
from disyre.scoring import label_regions
from disyre.summary_record import Summary
from disyre.volume import Volume


def write_dicom_results(
    folder: Path,
    derived: DerivedDicom,
    volume: Volume,
    scored: ScoredVolume,
    summary: Summary,
    kinds: Collection[Kind],
    *,
    on_step: OnStep = go_on,
) -> None:
    """Write some kinds of results of a scan, all arrays (column, row, slice).

    A report (`sr`) refers to the map and the segmentation, so it needs `pm` and `seg`. `on_step` is called
    after each file, and after each slice in colour.
    """
    with _silence():
        referred: dict[Kind, Dataset] = {}
        if "pm" in kinds:
            made = parametric_map(derived, scored.anomaly_map, threshold=summary.threshold)
            referred["pm"] = _write(folder / PARAMETRIC_MAP, made)
            on_step()
        if "seg" in kinds:
            labels = label_regions(scored.anomaly_map, scored.brain_mask, summary.threshold)
            made = segmentation(derived, labels, summary.regions)
            referred["seg"] = _write(folder / SEGMENTATION, made)
            on_step()
        if "sr" in kinds:
            report = measurement_report(
                derived, summary, segments=referred["seg"], anomaly_map=referred["pm"]
            )
            _write(folder / REPORT, report)
            on_step()
        if "sc" in kinds:
            colours = MapColours.of(volume.voxels, scored.brain_mask, summary.threshold)
            write_colour_captures(
                folder / COLOUR_CAPTURES,
                derived,
                volume,
                scored.anomaly_map,
                colours,
                warnings=summary.warnings,
                on_step=on_step,
            )


def warnings_of_subject(series: SourceSeries) -> tuple[str, ...]:
    """What is to be known of patient and study as the results have them."""
    with _silence():
        names = unsure_of(series.subject)
    if not names:
        return ()
    return (
        f"letters of {', '.join(names)} are not of the character sets that the images state "
        "(SpecificCharacterSet): the results as DICOM leave out what has them",
    )


@contextmanager
def _silence() -> Iterator[None]:
    """Let the libraries say nothing: what they warn of quotes the header, the patient's name among it."""
    levels = {logger: logger.level for logger in map(logging.getLogger, ("highdicom", "pydicom"))}
    for logger in levels:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _write(path: Path, result: Dataset) -> Dataset:
    """Write a file; what a report needs of it to refer to it."""
    result.save_as(path, enforce_file_format=True)
    kept = Dataset()
    for element in result:
        if element.tag.group < 0x0022 and element.VR != "SQ":
            kept.add(element)
    return kept
