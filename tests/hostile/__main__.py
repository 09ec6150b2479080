"""Tries every hostile input on a service of its own, and prints a table of what was expected and seen.

scripts/run dev python -m tests.hostile
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.hostile.scene import INPUTS, scene


def main() -> int:
    """Print the table; returns how many answers were not as expected."""
    n_others = 0
    sys.stdout.write("| | input | expected | seen | s |\n|---|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder, scene(Path(folder)) as found:
        for hostile in INPUTS:
            begun = time.perf_counter()
            seen = found.try_out(hostile)
            seconds = time.perf_counter() - begun
            row = (hostile.kind, hostile.what, str(hostile.expected), str(seen), f"{seconds:.2f}")
            sys.stdout.write(f"| {' | '.join(row)} |\n")
            n_others += seen != hostile.expected
    return n_others


if __name__ == "__main__":
    sys.exit(main())
