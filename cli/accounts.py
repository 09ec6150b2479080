"""What `disyre submit` prints of scans: what became of each, what was left out, and all in numbers."""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from cli.outcome import Outcome
from cli.output import put
from cli.scan_tree import LeftOut
from cli.shown import shown
from disyre.client import CandidateDocument
from disyre.wording import counted

_SEVERAL: Final = "multiple-volumes"
"""The code of the error of a scan that is several."""
_NAMED: Final = 5
"""As many paths are named of those that are left out for one reason."""


def tell(outcome: Outcome, *, as_json: bool) -> None:
    """Print what became of a scan, unless that was done before."""
    if not outcome.is_told:
        outcome.is_told = True
        put(_json(outcome) if as_json else _lines(outcome))


def tell_of_left_out(left_out: Sequence[LeftOut], *, as_json: bool) -> None:
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


def tally(outcomes: Sequence[Outcome], left_out: Sequence[LeftOut]) -> str:
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
