"""Runs the drills, each on programs of its own; prints a JSON line for each, and tables of them at the end.

make drills                                              all of them
scripts/run dev python -m tests.drills kills --kills 52
scripts/run dev python -m tests.drills --quick outages disks
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx
import pytest

from tests.drills.cancels import CancelLoop
from tests.drills.clocks import Clocks
from tests.drills.contract import check_contract
from tests.drills.disks import Disks
from tests.drills.drains import Drains
from tests.drills.kills import AT_STAGES, Input, KillLoop, kill_table
from tests.drills.machine import missing
from tests.drills.outages import Outages
from tests.drills.packages import Packages
from tests.drills.poison import Poison
from tests.drills.site import Site, site
from tests.drills.soak import Soak
from tests.drills.twos import Twos
from tests.drills.versions import Versions
from tests.e2e.stack import Serve, serving
from tests.live import ROOT

_NOT_HERE: Final = ("drill", "passed", "why", AT_STAGES)
"""Figures that stand in a line with others, or in a table of their own."""

Figures: TypeAlias = dict[str, Any]
Options: TypeAlias = argparse.Namespace

_SCAN: Final = ROOT / "examples" / "t1w.nii.gz"
_HEAD: Final = ROOT / "examples" / "head.zip"
_AS_SHIPPED: Final = {"DISYRE_LEASE_S": "15", "DISYRE_REAP_INTERVAL_S": "5"}
"""The stack of the tests is more impatient."""


def _kills(serve: Serve, options: Options) -> Figures:
    inputs = (Input(_SCAN), Input(_HEAD, bias_correction=True))
    return KillLoop(serve, inputs, *((4, 8) if options.quick else (options.jobs, options.kills))).run()


def _cancels(serve: Serve, options: Options) -> Figures:
    return CancelLoop(serve, _HEAD, 1 if options.quick else options.rounds).run()


def _twos(site: Site, options: Options) -> Figures:
    return Twos(site, n_jobs=10 if options.quick else 20).run()


def _outages(site: Site, options: Options) -> Figures:
    return Outages(site, away_s=12.0 if options.quick else 60.0).run()


def _disks(site: Site, _: Options) -> Figures:
    return Disks(site).run()


def _clocks(site: Site, _: Options) -> Figures:
    return Clocks(site).run()


def _drains(site: Site, _: Options) -> Figures:
    return Drains(site).run()


def _poison(site: Site, _: Options) -> Figures:
    return Poison(site).run()


def _packages(site: Site, _: Options) -> Figures:
    return Packages(site).run()


def _versions(site: Site, options: Options) -> Figures:
    return Versions(site, n_commits=options.before).run()


def _soak(site: Site, options: Options) -> Figures:
    return Soak(site, n_jobs=40 if options.quick else 200).run()


def _contract(folder: Path, options: Options) -> Figures:
    outcome = check_contract(folder, n_examples=5 if options.quick else 60)
    assert outcome.passed, outcome.report
    return {"calls": outcome.n_calls, "failures": outcome.n_failures}


def _machines(_: Path, options: Options) -> Figures:
    """In a process of its own, as it goes into namespaces."""
    if lacking := missing():
        pytest.skip(lacking)
    sizes = ("--scans", "2", "--kills", "3") if options.quick else ()
    command = [sys.executable, "-m", "tests.drills.machines", *sizes]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    assert ended.stdout, f"expected figures, got exit status {ended.returncode}"
    figures: Figures = json.loads(ended.stdout.splitlines()[-1])
    assert figures["passed"], figures["why"]
    return figures


ON_A_STACK: Final[dict[str, Callable[[Serve, Options], Figures]]] = {"kills": _kills, "cancels": _cancels}
"""`disyre serve` with the models that ship."""
ON_A_SITE: Final[dict[str, Callable[[Site, Options], Figures]]] = {
    "twos": _twos,
    "outages": _outages,
    "disks": _disks,
    "clocks": _clocks,
    "drains": _drains,
    "poison": _poison,
    "packages": _packages,
    "versions": _versions,
    "soak": _soak,
}
"""Programs that the drill starts, with toy models."""
ALONE: Final[dict[str, Callable[[Path, Options], Figures]]] = {"contract": _contract, "machines": _machines}
"""In a folder, with whatever else they need."""


def main() -> int:
    """Run drills; returns how many failed."""
    names = (*ON_A_STACK, *ON_A_SITE, *ALONE)
    parser = argparse.ArgumentParser(
        prog="python -m tests.drills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("drills", nargs="*", metavar="DRILL", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--quick", action="store_true", help="a short form of each, of a minute or so")
    parser.add_argument("--jobs", type=int, default=20, help="of the kills")
    parser.add_argument("--kills", type=int, default=56, help="each program at each stage, in turns")
    parser.add_argument("--before", type=int, default=50, help="commits back, of the older of two versions")
    parser.add_argument("--rounds", type=int, default=2, help="of cancels at every stage")
    options = parser.parse_args()
    if unknown := set(options.drills) - set(names):
        parser.error(f"expected drills of {', '.join(names)}, got {', '.join(sorted(unknown))}")
    seen = [_run(name, options) for name in options.drills or names]
    sys.stdout.write(_table(seen))
    for kills in (figures[AT_STAGES] for figures in seen if AT_STAGES in figures):
        sys.stdout.write(f"\n{kill_table(kills)}")
    return sum(figures["passed"] is False for figures in seen)


def _run(name: str, options: Options) -> Figures:
    """Figures of a drill; `passed` is None if this machine cannot do it."""
    begun = time.monotonic()
    figures: Figures = {"drill": name}
    try:
        figures |= _on_its_programs(name, options) | {"passed": True}
    except (AssertionError, httpx.HTTPError, OSError, subprocess.SubprocessError) as error:
        figures |= {"passed": False, "why": f"{type(error).__name__}: {error}"}
    except pytest.skip.Exception as error:
        figures |= {"passed": None, "why": str(error)}
    figures["minutes"] = round((time.monotonic() - begun) / 60, 1)
    figures["load of the machine"] = round(os.getloadavg()[1], 1)
    sys.stdout.write(f"{json.dumps(figures)}\n")
    sys.stdout.flush()
    return figures


def _on_its_programs(name: str, options: Options) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        if name in ON_A_SITE:
            with site(Path(folder)) as programs:
                try:
                    return ON_A_SITE[name](programs, options)
                except Exception:
                    sys.stderr.write(programs.last_words())
                    raise
        if name in ALONE:
            return ALONE[name](Path(folder), options)
        with serving(Path(folder) / "data", ROOT / "models", port=None, **_AS_SHIPPED) as serve:
            serve.wait_until_ready()
            try:
                return ON_A_STACK[name](serve, options)
            finally:
                serve.stop()


def _table(seen: list[Figures]) -> str:
    """What was seen, as Markdown."""
    lines = ["", "| drill | | |", "|---|---|---|"]
    for figures in seen:
        passed = {True: "passed", False: "FAILED", None: "not done"}[figures["passed"]]
        lines.append(f"| **{figures['drill']}** | {passed} | {figures.get('why', '')} |")
        rest = {key: value for key, value in figures.items() if key not in _NOT_HERE}
        lines += [f"| | {key} | {_words(value)} |" for key, value in rest.items()]
    return "\n".join(lines) + "\n"


def _words(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{key} {_words(each)}" for key, each in value.items())
        case list():
            return ", ".join(map(_words, value))
        case _:
            return str(value)


if __name__ == "__main__":
    sys.exit(main())
