"""A study: several series in one upload, a job for each that can be scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from disyre.candidate import Candidate
from disyre.errors import TooLarge
from disyre.intake.inspection import Inspection
from disyre.job import Job
from disyre.job_input import InputFile
from disyre.job_options import OPTIONS_OF_A_JOB
from disyre.scan_facts import ScanFacts

OF_ONE_SERIES: Final = ("model", "version", "modality", "series_uid", "volume_index")
"""Options that make no sense for all series of a study."""
OF_A_STUDY: Final = tuple(name for name in OPTIONS_OF_A_JOB if name not in OF_ONE_SERIES)
"""The others."""
_MOST_FILES: Final = 50_000
"""Of all jobs of a study together: each has its own record and name of each of its files."""


@dataclass(frozen=True)
class Study:
    """What became of a study: a job for each series that can be scored."""

    jobs: tuple[Job, ...]
    left_out: tuple[Candidate, ...]
    """Each with a code and a reason."""
    warnings: tuple[str, ...]
    """What is odd about the upload; of series, what is of no job, which has its own."""


def check_files(files: Sequence[Sequence[InputFile]]) -> None:
    """Raise TooLarge if the jobs of a study would have very many files, all of them together."""
    n_files = sum(map(len, files))
    if n_files > _MOST_FILES:
        raise TooLarge(
            f"expected a study whose jobs have at most {_MOST_FILES} files together, got {len(files)} jobs "
            f"with {n_files}: send it as a zip, which is one file"
        )


def facts_of(series: Candidate, warnings: tuple[str, ...]) -> ScanFacts:
    """How the voxels lie of a series that can be scored, with what is odd about it."""
    facts = series.model_dump(include={"shape", "spacing_mm", "orientation"})
    return ScanFacts.model_validate({**facts, "warnings": warnings})


def warnings_of(found: Inspection, left_out: Sequence[Candidate]) -> tuple[str, ...]:
    """What is odd about a study that no job of it says; a series that is left out is named by its UID."""
    uids = [str(each.series_uid) for each in left_out]
    named = [f"series {uid}: {told}" for uid in uids for told in found.of_series.get(uid, ())]
    return (*found.warnings, *named)


def no_series(series: Sequence[Candidate]) -> str:
    """Why nothing of a study is scored."""
    if len(series) == 1:
        return f"the only series of this study cannot be scored: {series[0].reason}"
    return f"none of the {len(series)} series of this study can be scored; candidates has the reason of each"
