"""`disyre submit`: scans to an API, and their results from there."""

import json
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from cli.batch import Batch
from cli.interruption import Interruption
from cli.out_folder import unwritable
from cli.outcome import Outcome
from cli.output import OutputLost, put
from cli.scan_tree import LeftOut, ScanTree
from cli.scans import folders_for, scan_in_archive
from cli.shown import shown
from cli.submitter import Submitter
from disyre.client import (
    CandidateDocument,
    Client,
    ClientError,
    Unreachable,
)
from disyre.client.api_key import read_key
from disyre.errors import InvalidParams
from disyre.job_options import read_options
from disyre.wording import counted

_SEVERAL: Final = "multiple-volumes"
"""The code of the error of a scan that is several."""
_NAMED: Final = 5
"""As many paths are named of those that are left out for one reason."""


def submit(
    paths: list[Path],
    *,
    sources: Sequence[tuple[str, str, str]] = (),
    url: str,
    key: str | None,
    out: Path,
    mask: Path | None = None,
    options: Mapping[str, Any],
    each_series: bool = False,
    waits: bool = True,
    as_json: bool = False,
    retry_for_s: float = 60.0,
    cancels: bool = False,
) -> int:
    """Submit scans, and wait for their results; 0 if all succeeded (or, without waiting, were accepted).

    `sources` are series (archive, study, series) that the service is to fetch.

    1 if not, if something was left out that may be a scan, or if nothing can be printed any more; 2 if the
    command was wrong. Before a KeyboardInterrupt or SystemExit is raised again, it is told which jobs go on
    at the service; with `cancels`, they are canceled. Raises OutputLost.
    """
    trees = [ScanTree.at(path, results=out) for path in paths]
    scans = [*(scan for tree in trees for scan in tree.scans), *(scan_in_archive(*each) for each in sources)]
    left_out = [each for tree in trees for each in tree.left_out]
    if not scans:
        _tell_of(left_out, as_json=as_json)
        where = ", ".join(map(shown, paths))
        wanted = f"expected scans (NIfTI, zip, or folders of DICOM files) in {where}"
        print(f"disyre: {wanted}, found none", file=sys.stderr)
        return 1
    if sources and (mask is not None or each_series):
        return _wrong("expected --from-pacs alone or with scans, got it with --mask or --each-series")
    if mask is not None:
        if each_series:
            return _wrong("expected --mask or --each-series, got both: series have grids of their own")
        if len(scans) > 1:
            return _wrong(f"expected one scan with --mask, got {len(scans)}")
        scans = [replace(scans[0], mask=mask)]
    outcomes = [Outcome(*each) for each in zip(scans, folders_for(scans, out), strict=True)]
    console = Console(stderr=True, quiet=as_json or not sys.stderr.isatty())
    try:
        read_options(options)
        client = Client(url, key=key, retry_for_s=retry_for_s)
    except (ClientError, InvalidParams) as error:
        return _wrong(str(error))
    refused = unwritable([out, *(each.folder for each in outcomes)]) if waits else None
    if refused is not None:
        folder, reason = refused
        return _wrong(f"no results can be written to {folder}: {reason.strerror}")
    with client:
        batch = Batch(Submitter(client, console, options, each_series), deque(outcomes))
        try:
            _run(batch, waits=waits, as_json=as_json)
        except ClientError as error:
            return _wrong(str(error))
        except OutputLost as error:
            Interruption(batch, url, cancels=False, why=str(error)).tell()
            return 1
        except (KeyboardInterrupt, SystemExit):
            with suppress(OutputLost):
                for outcome in batch.sent:
                    if as_json or outcome.job is None:
                        _tell(outcome, as_json=as_json)
            Interruption(batch, url, cancels=cancels).tell()
            raise
    _tell_of(left_out, as_json=as_json)
    if any(path.is_dir() for path in paths) and not as_json:
        print(f"disyre: {_tally(batch.sent, left_out)}", file=sys.stderr)
    all_done = all(each.is_fetched if waits else each.job for each in batch.sent)
    return 0 if all_done and not any(each.may_be_scan for each in left_out) else 1


def _run(batch: Batch, *, waits: bool, as_json: bool) -> None:
    """Send all scans, then wait for each and tell of it. Raises the ClientError that is of the command."""
    for outcome in batch.send():
        if outcome.job is not None and not as_json:
            print(f"disyre: {shown(outcome.name)}: job {outcome.job.id}", file=sys.stderr, flush=True)
    away: Unreachable | None = None
    for outcome in batch.sent:
        if away is not None and outcome.job is not None:
            outcome.error = away  # and not asked for again: that took long enough for one
        elif waits:
            batch.submitter.follow(outcome)
            away = outcome.error if outcome.job and isinstance(outcome.error, Unreachable) else None
        _tell(outcome, as_json=as_json)


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    """Print what became of a scan, unless that was done before."""
    if not outcome.is_told:
        outcome.is_told = True
        put(_json(outcome) if as_json else _lines(outcome))


def _wrong(reason: str) -> int:
    """Say what is wrong with the command; its exit status."""
    print(f"disyre: {shown(reason)}", file=sys.stderr)
    return 2


def _tell_of(left_out: Sequence[LeftOut], *, as_json: bool) -> None:
    """Say what was left out and why: for machines each by itself, for people by reason."""
    if as_json:
        for each in left_out:
            put(json.dumps({"path": str(each.path), "state": "left out", "reason": each.reason}))
        return
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for each in left_out:
        by_reason[each.reason].append(shown(each.path))
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
            "series_uid": outcome.series_uid,
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
    words = [outcome.name, outcome.state]
    if outcome.score is not None:
        words.append(f"score {outcome.score:.3f}")
    if outcome.is_fetched:
        words.append(str(outcome.folder))
    elif outcome.reason:
        words.append(outcome.reason)
    if outcome.job is not None and outcome.is_left:
        words.append(f"job {outcome.job.id}")
    lines = ["  ".join(words), *(f"    {_line(each)}" for each in outcome.candidates), *_ways_out(outcome)]
    return "\n".join(map(shown, lines))


def _ways_out(outcome: Outcome) -> list[str]:
    """How to send one of several series, or all, if any can be scored."""
    found = outcome.candidates if outcome.problem and outcome.problem.code == _SEVERAL else ()
    good = [each.series_uid for each in found if each.series_uid is not None and each.code is None]
    if not good or len({each.series_uid for each in found}) < 2:
        return []
    one = f"    one of them: --series-uid {good[0]}"
    return [one, "    each of them, a job for each: --each-series"] if outcome.scan.mask is None else [one]


def _line(volume: CandidateDocument) -> str:
    verdict = volume.reason or "can be scored"
    return ": ".join(word for word in (volume.series_uid, volume.description, verdict) if word)


def read_key_file(file: Path) -> str:
    """The API key in a file. Raises ClientError."""
    try:
        return read_key(file.read_text(encoding="utf-8"), f", in {file}")
    except OSError as error:
        raise ClientError(f"the key file {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ClientError(f"expected one line with a key in {file}, got no text") from error
