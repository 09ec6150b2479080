"""`disyre submit`: scans to an API, and their results from there."""

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.accounts import tally, tell, tell_of_left_out
from cli.batch import Batch
from cli.interruption import Interruption
from cli.out_folder import unwritable
from cli.outcome import Outcome
from cli.output import OutputLost
from cli.scan_tree import ScanTree
from cli.scans import Scan, folders_for, scan_in_archive
from cli.shown import shown
from cli.submitter import Submitter
from disyre.client import Client, ClientError, Unreachable
from disyre.client.api_key import read_key
from disyre.errors import InvalidParams
from disyre.job_options import read_options


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
        tell_of_left_out(left_out, as_json=as_json)
        where = ", ".join(map(shown, paths))
        wanted = f"expected scans (NIfTI, zip, or folders of DICOM files) in {where}"
        print(f"disyre: {wanted}, found none", file=sys.stderr)
        return 1
    try:
        scans = _fitting(scans, mask=mask, each_series=each_series, has_sources=bool(sources))
        outcomes = [Outcome(*each) for each in zip(scans, folders_for(scans, out), strict=True)]
        read_options(options)
        client = Client(url, key=key, retry_for_s=retry_for_s)
        if waits:
            _check_writable([out, *(each.folder for each in outcomes)])
        with client:
            console = Console(stderr=True, quiet=as_json or not sys.stderr.isatty())
            batch = Batch(Submitter(client, console, options, each_series), deque(outcomes))
            if not _run_or_tell(batch, url, waits=waits, as_json=as_json, cancels=cancels):
                return 1
    except (ClientError, InvalidParams, _Misused) as error:
        print(f"disyre: {shown(str(error))}", file=sys.stderr)
        return 2
    tell_of_left_out(left_out, as_json=as_json)
    if any(path.is_dir() for path in paths) and not as_json:
        print(f"disyre: {tally(batch.sent, left_out)}", file=sys.stderr)
    all_done = all(each.is_fetched if waits else each.job for each in batch.sent)
    return 0 if all_done and not any(each.may_be_scan for each in left_out) else 1


class _Misused(Exception):
    """The command does not go together, or cannot be done here."""


def _fitting(scans: list[Scan], *, mask: Path | None, each_series: bool, has_sources: bool) -> list[Scan]:
    """The scans, the only one with the mask. Raises _Misused."""
    if has_sources and (mask is not None or each_series):
        raise _Misused("expected --from-pacs alone or with scans, got it with --mask or --each-series")
    if mask is None:
        return scans
    if each_series:
        raise _Misused("expected --mask or --each-series, got both: series have grids of their own")
    if len(scans) > 1:
        raise _Misused(f"expected one scan with --mask, got {len(scans)}")
    return [replace(scans[0], mask=mask)]


def _check_writable(folders: list[Path]) -> None:
    """Raise _Misused if no results can be written to one of these."""
    if refused := unwritable(folders):
        folder, reason = refused
        raise _Misused(f"no results can be written to {folder}: {reason.strerror}")


def _run_or_tell(batch: Batch, url: str, *, waits: bool, as_json: bool, cancels: bool) -> bool:
    """Run it; False, with a word on the jobs that go on, if nothing can be printed any more.

    Tells of them before KeyboardInterrupt and SystemExit too. Raises the ClientError that is of the command.
    """
    try:
        _run(batch, waits=waits, as_json=as_json)
    except OutputLost as error:
        Interruption(batch, url, cancels=False, why=str(error)).tell()
        return False
    except (KeyboardInterrupt, SystemExit):
        with suppress(OutputLost):
            for outcome in batch.sent:
                if as_json or outcome.job is None:
                    tell(outcome, as_json=as_json)
        Interruption(batch, url, cancels=cancels).tell()
        raise
    return True


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
        tell(outcome, as_json=as_json)


def read_key_file(file: Path) -> str:
    """The API key in a file. Raises ClientError."""
    try:
        return read_key(file.read_text(encoding="utf-8"), f", in {file}")
    except OSError as error:
        raise ClientError(f"the key file {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ClientError(f"expected one line with a key in {file}, got no text") from error
