"""Runs the drills, each on a stack of its own with the models that ship; prints a JSON line for each.

make drills             all of them
scripts/run dev python -m tests.drills kills --jobs 20 --kills 56
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.drills.cancels import CancelLoop
from tests.drills.kills import KillLoop
from tests.e2e.stack import Serve, serving
from tests.live import ROOT

_SCAN: Final = ROOT / "examples" / "t1w.nii.gz"
_HEAD: Final = ROOT / "examples" / "head.zip"
_AS_SHIPPED: Final = {"DISYRE_LEASE_S": "15", "DISYRE_REAP_INTERVAL_S": "5"}
"""The stack of the tests is more impatient."""


def _kills(serve: Serve, options: argparse.Namespace) -> dict[str, Any]:
    return KillLoop(serve, _SCAN, options.jobs, options.kills).run()


def _cancels(serve: Serve, options: argparse.Namespace) -> dict[str, Any]:
    return CancelLoop(serve, _HEAD, options.rounds).run()


DRILLS: Final[dict[str, Callable[[Serve, argparse.Namespace], dict[str, Any]]]] = {
    "kills": _kills,
    "cancels": _cancels,
}


def main() -> int:
    """Run drills; returns how many failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__)
    parser.add_argument("drills", nargs="*", metavar="DRILL", help=f"of {', '.join(DRILLS)}; default: all")
    parser.add_argument("--jobs", type=int, default=20, help="of the kills")
    parser.add_argument("--kills", type=int, default=56, help="of programs, at every stage of the jobs")
    parser.add_argument("--rounds", type=int, default=2, help="of cancels at every stage")
    options = parser.parse_args()
    if unknown := set(options.drills) - set(DRILLS):
        parser.error(f"expected drills of {', '.join(DRILLS)}, got {', '.join(sorted(unknown))}")
    return sum(not _passes(name, options) for name in options.drills or DRILLS)


def _passes(name: str, options: argparse.Namespace) -> bool:
    begun = time.monotonic()
    figures: dict[str, Any] = {"drill": name}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "data", ROOT / "models", port=None, **_AS_SHIPPED) as serve,
    ):
        serve.wait_until_ready()
        try:
            figures |= DRILLS[name](serve, options) | {"passed": True}
        except AssertionError as error:
            figures |= {"passed": False, "why": str(error)}
        serve.stop()
    figures["minutes"] = round((time.monotonic() - begun) / 60, 1)
    sys.stdout.write(f"{json.dumps(figures)}\n")
    sys.stdout.flush()
    return bool(figures["passed"])


if __name__ == "__main__":
    sys.exit(main())
