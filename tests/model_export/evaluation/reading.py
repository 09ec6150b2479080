"""Cases, read as they are found."""

from collections.abc import Iterator
from pathlib import Path

from disyre.modality import Modality
from model_export.evaluation.case_files import find_cases
from model_export.evaluation.cases import Case, read_case


def read_cases(folder: Path, modality: Modality) -> Iterator[Case]:
    """The cases below a folder, by name."""
    return map(read_case, find_cases(folder, modality).cases)
