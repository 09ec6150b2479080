"""The fuzzer runs: it imports what it feeds, and finds no fault in the first inputs of its seed."""

import json
import subprocess
import sys
from pathlib import Path

from tests.live import ROOT


def test_the_fuzzer_finds_no_fault_in_a_few_seconds(tmp_path: Path) -> None:
    command = [sys.executable, "scripts/fuzz", "--minutes", "0.05", "--keep", str(tmp_path / "faults")]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["faults"], result["inputs"] > 0) == (0, True)
    assert not (tmp_path / "faults").exists()
