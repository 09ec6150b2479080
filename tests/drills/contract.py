"""Calls a running stack in ways that are made up from its OpenAPI document, good and bad (schemathesis).

scripts/run dev python -m tests.drills.contract --examples 60
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from disyre.client import Client
from service.keys import make_entry
from tests.drills.contract_scan import small_scan
from tests.e2e.stack import Serve, serving
from tests.live import ROOT
from tests.toy_model import make_toy_model

PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")
"""Ways to make up calls: as documented, at the limits of the schemas, at random, and one after another."""
_KEY: Final = "contract"
_CONFIG: Final = Path(__file__).with_suffix(".toml")
_CASES: Final = re.compile(r"^Test cases:\s+([\d,]+) generated", re.MULTILINE)
_FAILURES: Final = re.compile(r"found ([\d,]+) unique failures?")
_N_JOBS: Final = 2
_AUTH: Final = '\n[auth.openapi.apiKey]\napi_key = "${CONTRACT_KEY}"\n'


@dataclass(frozen=True)
class Outcome:
    """What came of many calls."""

    n_calls: int
    n_failures: int
    seconds: float
    passed: bool
    report: str
    """What schemathesis wrote, with a line of curl for each failure."""


def check_contract(
    folder: Path,
    *,
    n_examples: int,
    seed: int = 1,
    phases: tuple[str, ...] = PHASES,
    asks_for_keys: bool = True,
) -> Outcome:
    """Start a stack with a toy model in a folder, call it in many ways, and end it.

    `n_examples` is the most for each call and way to make them up. A stack that asks for no keys has another
    document, and is called without.
    """
    models, keys = folder / "models", folder / "api-keys"
    make_toy_model(models)
    keys.write_text(make_entry("contract", ("admin",), key=_KEY).as_toml(), encoding="utf-8")
    settings = {
        **({"DISYRE_API_KEYS_FILE": str(keys)} if asks_for_keys else {}),
        "DISYRE_MAX_SUBMITS_PER_MINUTE": "1000000",
        "DISYRE_MAX_QUEUED_JOBS": "100000",
    }
    with serving(folder / "data", models, port=None, **settings) as serve:
        serve.wait_until_ready()
        ids = _jobs(serve)
        config = folder / "contract.toml"
        config.write_text(
            _CONFIG.read_text(encoding="utf-8")
            + f"\n[dictionaries.jobs]\nvalues = {json.dumps(ids)}\n"
            + (_AUTH if asks_for_keys else ""),
            encoding="utf-8",
        )
        begun = time.monotonic()
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
                *("run", f"http://127.0.0.1:{serve.port}/openapi.json", "--no-color"),
                *("--max-examples", str(n_examples), "--seed", str(seed), "--phases", ",".join(phases)),
            ],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                "CONTRACT_KEY": _KEY,
                "CONTRACT_JOBS": " ".join(ids),
            },
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - begun
        serve.stop()
    return _read(run.stdout + run.stderr, seconds, passed=run.returncode == 0)


def _jobs(serve: Serve) -> list[str]:
    """The ids of jobs that have succeeded."""
    with Client(f"http://127.0.0.1:{serve.port}", key=_KEY) as client:
        scan = serve.data_dir.parent / "scan.nii.gz"
        scan.write_bytes(small_scan())
        jobs = [client.submit(scan, model="t1w", idempotency_key=str(n)) for n in range(_N_JOBS)]
        ended = [client.wait(job) for job in jobs]
    assert all(job.has_succeeded for job in ended)
    return [job.id for job in ended]


def _read(report: str, seconds: float, *, passed: bool) -> Outcome:
    def number(pattern: re.Pattern[str]) -> int:
        found = pattern.search(report)
        return int(found[1].replace(",", "")) if found else 0

    return Outcome(number(_CASES), number(_FAILURES), round(seconds, 1), passed, report)


def main() -> int:
    """Call a stack in many ways; returns how many failures there were."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.contract", description=__doc__)
    parser.add_argument("--examples", type=int, default=60, help="of each call and way, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-keys", action="store_true", help="a stack that asks for none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = check_contract(
            Path(folder),
            n_examples=options.examples,
            seed=options.seed,
            asks_for_keys=not options.without_keys,
        )
    if not outcome.passed:
        sys.stderr.write(outcome.report)
    figures: dict[str, Any] = {
        "drill": "contract",
        "calls": outcome.n_calls,
        "failures": outcome.n_failures,
        "passed": outcome.passed,
        "minutes": round(outcome.seconds / 60, 1),
    }
    sys.stdout.write(f"{json.dumps(figures)}\n")
    return int(not outcome.passed)


if __name__ == "__main__":
    sys.exit(main())
