"""Scores one scan from files to files: without a server, a broker or a network, and as a job would be."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from disyre.intake.foreign_archives import set_aside_archives
from disyre.intake.inspection import check_scan
from disyre.intake.upload import MASK_NAME, FileFacts, ScanFiles, Upload, file_name
from disyre.job import Job
from disyre.job_id import JobId
from disyre.job_input import JobInput
from disyre.job_model import JobModel
from disyre.job_options import read_options
from disyre.job_params import JobParams
from disyre.modality import SILENT, Guess
from disyre.model_choice import choose_fitting, taken_for
from disyre.model_shelf import ModelShelf
from disyre.progress import OnProgress
from worker.assembly import check, make_holdings, make_restorers, make_scorer
from worker.settings import WorkerSettings
from worker.tasks import Outcome

_JOB_ID: Final[JobId] = "00000000-0000-7000-8000-000000000000"
"""Of the only job there is; it stands in no result."""
_CHUNK_BYTES: Final = 1024**2


def score_files(
    files: Sequence[Path],
    out: Path,
    options: Mapping[str, Any],
    *,
    mask: Path | None = None,
    settings: WorkerSettings,
    on_progress: OnProgress,
) -> Outcome:
    """Score the scan in some files, with the options of a job; `out` gets its results, all or none.

    Raises InvalidInput as the API and the worker do; Misconfigured, OutOfMemory or OSError.
    """
    check(settings)
    holdings = make_holdings(settings)
    models = holdings.shelf
    params = read_options(options)
    choose_fitting(models, params, taken_for(params, SILENT))
    with TemporaryDirectory(prefix="disyre-") as made:
        folder = Path(made)
        upload = set_aside_archives(_linked(files, mask, folder), folder)
        header = check_scan(upload, folder, params, max_voxels=settings.max_voxels)
        job = _job(upload, params, header, models)
        restorers = make_restorers(settings, holdings)
        scorer = make_scorer(settings, holdings, restorers, partial(_input_file, folder))
        scorer = replace(scorer, identity_of=_content_of)
        with _all_or_nothing(out) as results:
            return scorer(job, results, on_progress)


def _linked(files: Sequence[Path], mask: Path | None, folder: Path) -> Upload:
    """The files under neutral names in a folder, as an upload has them. Raises EmptyUpload or NotAnImage."""
    found = ScanFiles()
    for number, file in enumerate(files, start=1):
        found.add(file_name(number), _facts(file, folder / file_name(number)))
    given = _facts(mask, folder / MASK_NAME).as_mask() if mask else None
    return Upload(found.whole(), given)


def _facts(file: Path, link: Path) -> FileFacts:
    link.symlink_to(file.resolve())
    facts = FileFacts()
    with file.open("rb") as content:
        while data := content.read(_CHUNK_BYTES):
            facts.take(data)
    return facts


def _job(upload: Upload, params: JobParams, header: Guess, models: ModelShelf) -> Job:
    modality = taken_for(params, header)
    package = choose_fitting(models, params, modality)
    return Job.submit(
        _JOB_ID,
        model=JobModel.of(package.manifest) if package else None,
        modality=modality,
        input=JobInput(files=upload.files, mask=upload.mask),
        params=params,
        at=datetime.now(UTC),
    )


def _content_of(job: Job) -> str:
    """What tells this scoring from others: the scan, and how it was asked to be scored."""
    model = job.model.sha256 if job.model else ""
    return f"{job.input.model_dump_json()} {model} {job.params.model_dump_json()}"


def _input_file(folder: Path, job_id: str, name: str) -> Path:
    return folder / name


@contextmanager
def _all_or_nothing(out: Path) -> Iterator[Path]:
    """A folder for results, which come into `out` when the block ends without an error."""
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".disyre-", dir=out) as made:
        yield Path(made)
        for file in sorted(Path(made).iterdir()):
            file.replace(out / file.name)
