"""`disyre submit`: scans to an API, and their results from there."""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from cli.scan_tree import LeftOut, ScanTree
from cli.scans import Scan, folders_for
from disyre.client import (
    CandidateDocument,
    Client,
    ClientError,
    ConnectionLost,
    FileChanged,
    JobDocument,
    NothingToSend,
    ProblemDocument,
    Refused,
    Unreachable,
)
from disyre.client.bar import job_bar
from disyre.wording import counted

_NOTHING_ARRIVED: Final = (Unreachable, NothingToSend, FileChanged, OSError)
"""What keeps a scan from being sent whole."""
_NAMED: Final = 5
"""As many paths are named of those that are left out for one reason."""


@dataclass
class Outcome:
    """What became of a scan."""

    scan: Scan
    folder: Path
    """Of its results."""
    job: JobDocument | None = None
    """As it was seen last; None if there is none."""
    error: Exception | None = None
    """Why there is no job, or no more news of it, or no results."""
    is_fetched: bool = False

    @property
    def state(self) -> str:
        """Of the job, or why there is none."""
        if self.job is not None:
            return self.job.state
        if isinstance(self.error, ConnectionLost):
            return "unknown"
        return "not sent" if isinstance(self.error, _NOTHING_ARRIVED) else "refused"

    @property
    def score(self) -> float | None:
        """The anomaly score, of a job that succeeded."""
        summary = self.job.summary if self.job else None
        return summary.get("anomaly_score") if summary else None

    @property
    def problem(self) -> ProblemDocument | None:
        """Why it was refused, or failed, if the API says so."""
        if isinstance(self.error, Refused):
            return self.error.problem
        return self.job.error if self.job else None

    @property
    def reason(self) -> str:
        """The same in words; nothing if all went well."""
        if self.error is not None:
            return _in_words(self.error, self.scan)
        return f"{self.problem.code}: {self.problem.detail}" if self.problem else ""


@dataclass(frozen=True)
class Submitter:
    """Takes scans to an API, one after the other, and waits for them in the same order."""

    client: Client
    console: Console
    """Where bars are shown."""
    options: Mapping[str, Any]

    def send(self, outcome: Outcome) -> None:
        """Submit a scan; what goes wrong is noted."""
        scan = outcome.scan
        files = scan.files[0] if len(scan.files) == 1 else scan.files
        try:
            with self.console.status(escape(f"sending {scan.name}")):
                outcome.job = self.client.submit(files, mask=scan.mask, **self.options)
        except (ClientError, OSError) as error:
            outcome.error = error

    def follow(self, outcome: Outcome) -> None:
        """Wait for a job that was submitted and fetch its results; what goes wrong is noted."""
        if outcome.job is None:
            return
        try:
            with job_bar(outcome.scan.name, self.console) as bar:
                outcome.job = self.client.wait(outcome.job, bar.show)
            if outcome.job.has_succeeded:
                self.client.results(outcome.job, outcome.folder)
                outcome.is_fetched = True
        except (ClientError, OSError) as error:
            outcome.error = error


def submit(
    paths: list[Path],
    *,
    url: str,
    key: str | None,
    out: Path,
    mask: Path | None = None,
    options: Mapping[str, Any],
    waits: bool = True,
    as_json: bool = False,
    retry_for_s: float = 60.0,
) -> int:
    """Submit scans, and wait for their results; 0 if all succeeded (or, without waiting, were accepted).

    1 too if something was left out that may be a scan.
    """
    trees = [ScanTree.at(path, results=out) for path in paths]
    scans = [scan for tree in trees for scan in tree.scans]
    left_out = [each for tree in trees for each in tree.left_out]
    if not scans:
        _tell_of(left_out, as_json=as_json)
        where = ", ".join(map(str, paths))
        wanted = f"expected scans (NIfTI, zip, or folders of DICOM files) in {where}"
        print(f"disyre: {wanted}, found none", file=sys.stderr)
        return 1
    if mask is not None:
        if len(scans) > 1:
            print(f"disyre: expected one scan with --mask, got {len(scans)}", file=sys.stderr)
            return 2
        scans = [replace(scans[0], mask=mask)]
    outcomes = [Outcome(*each) for each in zip(scans, folders_for(scans, out), strict=True)]
    console = Console(stderr=True, quiet=as_json or not sys.stderr.isatty())
    try:
        client = Client(url, key=key, retry_for_s=retry_for_s)
    except ClientError as error:
        print(f"disyre: {error}", file=sys.stderr)
        return 2
    with client:
        submitter = Submitter(client, console, options)
        _send_all(submitter, outcomes)
        for outcome in outcomes:
            if waits:
                submitter.follow(outcome)
            print(_json(outcome) if as_json else _lines(outcome), flush=True)
    _tell_of(left_out, as_json=as_json)
    if any(path.is_dir() for path in paths) and not as_json:
        print(f"disyre: {_tally(outcomes, left_out)}", file=sys.stderr)
    all_done = all(each.is_fetched if waits else each.job for each in outcomes)
    return 0 if all_done and not any(each.may_be_scan for each in left_out) else 1


def _send_all(submitter: Submitter, outcomes: list[Outcome]) -> None:
    """Send all scans; once the service is not there, no more."""
    away: Unreachable | None = None
    for outcome in outcomes:
        if away is not None:
            outcome.error = away
            continue
        submitter.send(outcome)
        if isinstance(outcome.error, Unreachable) and not isinstance(outcome.error, ConnectionLost):
            away = outcome.error


def _tell_of(left_out: Sequence[LeftOut], *, as_json: bool) -> None:
    """Say what was left out and why: for machines each by itself, for people by reason."""
    if as_json:
        for each in left_out:
            print(json.dumps({"path": str(each.path), "state": "left out", "reason": each.reason}))
        return
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for each in left_out:
        by_reason[each.reason].append(str(each.path))
    for reason, paths in by_reason.items():
        more = f" and {len(paths) - _NAMED} more (--json names all)" if len(paths) > _NAMED else ""
        print(f"disyre: left out ({reason}): {', '.join(paths[:_NAMED])}{more}", file=sys.stderr)


def _tally(outcomes: Sequence[Outcome], left_out: Sequence[LeftOut]) -> str:
    """What became of all scans, in numbers."""
    states = Counter(each.state for each in outcomes)
    told = ", ".join(f"{number} {state}" for state, number in states.most_common())
    return f"{counted(len(outcomes), 'scan')}: {told}; {counted(len(left_out), 'path')} left out"


def _json(outcome: Outcome) -> str:
    job, problem = outcome.job, outcome.problem
    return json.dumps(
        {
            "scan": outcome.scan.name,
            "state": outcome.state,
            "score": outcome.score,
            "results": str(outcome.folder) if outcome.is_fetched else None,
            "reason": outcome.reason or None,
            "problem": problem.model_dump(mode="json") if problem else None,
            "job": job.model_dump(mode="json") if job else None,
        }
    )


def _lines(outcome: Outcome) -> str:
    """A line on a scan; if one of several volumes has to be chosen, one on each of them too."""
    words = [outcome.scan.name, outcome.state]
    if outcome.score is not None:
        words.append(f"score {outcome.score:.3f}")
    if outcome.is_fetched:
        words.append(str(outcome.folder))
    elif outcome.reason:
        words.append(outcome.reason)
    elif outcome.job is not None:
        words.append(f"job {outcome.job.id}")
    candidates = (outcome.problem.candidates if outcome.problem else None) or ()
    return "\n".join(["  ".join(words), *(f"    {_line(each)}" for each in candidates)])


def _line(volume: CandidateDocument) -> str:
    verdict = volume.reason or "can be scored"
    return ": ".join(word for word in (volume.series_uid, volume.description, verdict) if word)


def _in_words(error: Exception, scan: Scan) -> str:
    if not isinstance(error, OSError):
        return str(error)
    other = error.filename is not None and Path(error.filename) != scan.path
    return f"{f'{error.filename} ' if other else ''}cannot be read or written: {error.strerror}"


def read_key(file: Path) -> str:
    """The API key in a file. Raises ClientError."""
    try:
        key = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ClientError(f"the key file {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ClientError(f"expected one line with a key in {file}, got no text") from error
    if not key or not key.isascii() or not key.isprintable():
        lines = counted(len(key.splitlines()), "line")
        raise ClientError(f"expected one line with a key, of printable ASCII, in {file}, got {lines}")
    return key
