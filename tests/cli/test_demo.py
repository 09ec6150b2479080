"""What `disyre demo` shows in the end."""

from rich.console import Console

from cli.client import Document
from cli.demo import table

JOB: Document = {
    "scan": "t1w.nii.gz",
    "state": "succeeded",
    "took_s": 9.1,
    "summary": {
        "anomaly_score": 0.25,
        "volume_above_threshold_ml": 3.21,
        "n_regions": 2,
        "regions": [{"centroid_mm": [-40.2, 11.0, 5.6]}],
        "timings_s": {"reading": 1.0, "restoring": 7.0, "total": 8.0},
    },
}
REFUSED: Document = {"scan": "odd.zip", "state": "failed", "error": {"code": "not-brain-mr"}}


def shown(*jobs: Document) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table(list(jobs)))
    return capture.get()


def test_the_table_has_the_time_of_the_worker_once_and_that_from_the_post_on() -> None:
    (row,) = [line for line in shown(JOB).splitlines() if "t1w.nii.gz" in line]

    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[2:] == ["0.250", "3.2 mL", "2", "-40, 11, 6", "8.0 s", "9.1 s"]


def test_the_table_says_what_its_times_and_places_are() -> None:
    text = shown(JOB)

    assert "centre of the largest, RAS mm" in text
    assert "scored in: what the worker took, from reading to writing." in text


def test_a_scan_that_was_not_scored_is_shown_with_the_code_of_its_error() -> None:
    assert "failed not-brain-mr" in shown(REFUSED)
