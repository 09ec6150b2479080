"""How long a scan takes from POST to its result, over HTTP, on this machine.

    scripts/run serve python benchmarks/post_to_result.py SCAN [SCAN...] [--repeats 3]

Starts the stack, posts each scan, waits until it has succeeded, prints one JSON line a run.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

from cli.stack import free_port, running_stack
from disyre.client import Client


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--mask", type=Path, help="brain mask on the grid of every scan")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as data_dir,
        running_stack(port=free_port(), data_dir=Path(data_dir)) as stack,
        Client(stack.url) as client,
    ):
        for scan in arguments.scans:
            for _ in range(arguments.repeats):
                print(json.dumps(_measure(client, scan, arguments.mask)), flush=True)


def _measure(client: Client, scan: Path, mask: Path | None) -> dict[str, object]:
    start = time.perf_counter()
    job = client.wait(client.submit(scan, mask=mask))
    done_s = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        client.results(job, Path(folder))
        fetched_s = time.perf_counter() - start
        summary = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
    return {
        "scan": scan.name,
        "state": job.state,
        "shape": summary["scan"]["shape"],
        "post_to_succeeded_s": round(done_s, 2),
        "post_to_fetched_s": round(fetched_s, 2),
        "stages_s": summary["timings_s"],
        "model": f"{summary['model']['name']}/{summary['model']['version']}",
        "provider": summary["provider"],
        "cpus": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
    }


if __name__ == "__main__":
    main()
