"""`disyre score`: one scan from files to files, without a server, as modules of mercure or MONAI are."""

import json
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from cli.file_words import told
from cli.output import put
from cli.scans import scan_at
from disyre import INTENDED_USE
from disyre.adapters.settings import EX_CONFIG, own_models, read_settings
from disyre.errors import InvalidInput, InvalidParams, Misconfigured, UnknownModel
from disyre.progress import Progress
from disyre.result_names import SUMMARY
from worker.one_shot import score_files
from worker.settings import WorkerSettings
from worker.tasks import problem_of

FOLDERS: Final = (
    ("MERCURE_IN_DIR", "MERCURE_OUT_DIR"),
    ("MONAI_INPUTPATH", "MONAI_OUTPUTPATH"),
    ("HOLOSCAN_INPUT_PATH", "HOLOSCAN_OUTPUT_PATH"),
)
"""Variables by which platforms name the folders of a module; the first pair that is set counts."""


class Folders(NamedTuple):
    """Where the scan is and the results come, and how each was given: a path as typed, or a variable."""

    source: Path
    out: Path
    source_given: str
    out_given: str


def folders_of(environment: Mapping[str, str]) -> Folders | None:
    """The folders that a platform names; None if it names none, or only one of the two.

    >>> folders_of({"MERCURE_IN_DIR": "/in", "MONAI_INPUTPATH": "/input/", "MONAI_OUTPUTPATH": "/out"})[:3]
    (PosixPath('/input'), PosixPath('/out'), 'MONAI_INPUTPATH')
    """
    for names in FOLDERS:
        source, out = (environment.get(name) for name in names)
        if source and out:
            return Folders(Path(source), Path(out), *names)
    return None


def score(
    source: Path,
    out: Path,
    *,
    mask: Path | None,
    options: Mapping[str, Any],
    given: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Score a scan; 0 if `out` has its results, 1 if not, 2 for options that cannot be, 78 if set up wrongly.

    `given` is how IN, OUT and the mask were given, which is told of one that is at fault: a path as it was
    typed, or the variable of a platform, whose paths may be about a patient.
    """
    try:
        settings = read_settings(WorkerSettings)
        scan = scan_at(source)
        _look_for(*scan.files, mask or scan.mask)
        outcome = score_files(
            scan.files,
            out,
            options,
            mask=mask or scan.mask,
            settings=settings,
            on_progress=_Stages(),
        )
    except Misconfigured as error:
        return _fail(f"{error.code}: {error}", EX_CONFIG)
    except OSError as error:
        name = _which(error, {"OUT": out, "the mask": mask, "IN": source}, given)
        return _fail(told(error, name=name), 1)
    except Exception as error:
        return _refuse(error)
    print(f"disyre: {_scored_by(out, settings.models_dir)}", file=sys.stderr)
    put(f"score {outcome.summary['anomaly_score']:.3f}  {out}")
    put(INTENDED_USE)
    return 0


def _scored_by(out: Path, models: Path) -> str:
    """Which model it was, by the results, and from where if that is not the folder of those that ship."""
    name = "{name}/{version}".format_map(json.loads((out / SUMMARY).read_bytes())["model"])
    folder = models.resolve()
    return f"scored by {name}" if folder == own_models().resolve() else f"scored by {name} of {folder}"


def _look_for(*files: Path | None) -> None:
    """Find out early whether a file is not there, before what else may be missing. Raises OSError."""
    for file in filter(None, files):
        file.stat()


def _which(error: OSError, named: Mapping[str, Path | None], given: Mapping[str, str]) -> str:
    """Which of the paths in the command is meant, and how it was given: not a file in it, named after a
    patient.
    """
    at = Path(error.filename) if isinstance(error.filename, str | Path) else None
    for word, path in named.items():
        if at and path and at.is_relative_to(path):
            which = word if at == path else f"a file in {word}"
            return f"{which} ({given[word]})" if word in given else which
    return "a file"


class _Stages:
    """Says which stage has begun."""

    def __init__(self) -> None:
        self._stage = ""

    def __call__(self, progress: Progress) -> None:
        if progress.stage != self._stage:
            self._stage = progress.stage
            print(f"disyre: {progress.stage}", file=sys.stderr, flush=True)


def _refuse(error: Exception) -> int:
    """In the words of a job's error; of what nobody thought of, with the place, but not what it says."""
    problem = problem_of(error)
    if not isinstance(error, InvalidInput):
        traceback.print_tb(error.__traceback__)
    status = _fail(
        f"{problem.code}: {problem.detail}", 2 if isinstance(error, InvalidParams | UnknownModel) else 1
    )
    for volume in error.candidates if isinstance(error, InvalidInput) else ():
        words = (volume.series_uid, volume.description, volume.reason or "can be scored")
        print(f"    {': '.join(filter(None, words))}", file=sys.stderr)
    return status


def _fail(reason: str, status: int) -> int:
    print(f"disyre: {reason}", file=sys.stderr)
    return status
