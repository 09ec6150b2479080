"""The main job by itself: start the stack, score the examples over HTTP, show what was found, stop."""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.examples import find_scans, stem
from cli.keys import FILE_VARIABLE
from cli.stack import free_port, running_stack
from disyre.client import Client, ClientError
from disyre.client.bar import job_bar

Row = dict[str, Any]
"""What is shown of a job."""

_FOLDED: Final = ("scan", "state")
"""Headings of columns with words of any length."""
_HEADINGS: Final = (
    *("score", "above\nthreshold", "regions", "centre of the\nlargest, RAS mm"),
    *("scored\nin", "POST to\nresult"),
)
"""Of numbers, which are shown in one line each: all fits a terminal of 80 columns."""
_TIMES: Final = (
    "scored in: what the worker took, from reading to writing. POST to result: with the upload, the queue "
    "and the polling, as the clock beside the bar."
)


def demo(*, examples: Path, out: Path) -> int:
    """Score every scan in `examples`, with the mask that lies beside it; results go to `out/<scan>/`."""
    console = Console()
    scans = find_scans(examples)
    if not scans:
        console.print(f"[red]demo: expected scans (.nii, .nii.gz, .zip) in {examples}, found none")
        return 1
    os.environ.pop(FILE_VARIABLE, None)  # of this stack nobody else knows
    with tempfile.TemporaryDirectory(prefix="disyre-demo-") as data_dir:
        port = free_port()
        with (
            console.status("starting broker, worker and API"),
            running_stack(port=port, data_dir=Path(data_dir)),
        ):
            console.print(f"the stack is ready on port {port}")
            with Client(f"http://127.0.0.1:{port}") as client:
                jobs = [_score(client, scan, mask, out, console) for scan, mask in scans]
    console.print(table(jobs))
    console.print(f"maps and pictures are in {out}/; research use only")
    return 0 if all(job["state"] == "succeeded" for job in jobs) else 1


def _score(client: Client, scan: Path, mask: Path | None, out: Path, console: Console) -> Row:
    """Score one scan; its last job document, with the name of the scan."""
    posted_at = time.monotonic()
    with job_bar(scan.name, console) as bar:
        try:
            job = client.wait(client.submit(scan, mask=mask), bar.show)
        except ClientError as error:
            console.print(f"[red]{escape(f'{scan.name}: {error}')}")
            return {"scan": scan.name, "state": "refused"}
    row = job.model_dump(mode="json") | {"scan": scan.name, "took_s": time.monotonic() - posted_at}
    if job.has_succeeded:
        client.results(job, out / stem(scan))
        row["summary"] = json.loads((out / stem(scan) / "summary.json").read_text(encoding="utf-8"))
    return row


def table(jobs: list[Row]) -> Table:
    """What was found, and how long it took, a row for each job; `scan` and `took_s` are the client's."""
    table = Table(caption=_TIMES, caption_justify="left", box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for heading in _FOLDED:
        table.add_column(heading, overflow="fold", min_width=len("t1w.nii.gz"))
    for heading in _HEADINGS:
        table.add_column(heading, no_wrap=True)
    for job in jobs:
        found = job.get("summary") if job["state"] == "succeeded" else None
        if not found:
            table.add_row(job["scan"], f"{job['state']} {(job.get('error') or {}).get('code', '')}")
            continue
        largest = found["regions"][0]["centroid_mm"] if found["regions"] else []
        table.add_row(
            job["scan"],
            job["state"],
            f"{found['anomaly_score']:.3f}",
            f"{found['volume_above_threshold_ml']:.1f} mL",
            str(found["n_regions"]),
            ", ".join(f"{mm:.0f}" for mm in largest),
            f"{found['timings_s']['total']:.1f} s",
            f"{job['took_s']:.1f} s",
        )
    return table
