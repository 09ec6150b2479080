"""What `disyre demo` shows in the end."""

from rich.console import Console

from cli.demo import Row, table

JOB: Row = {
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
REFUSED: Row = {"scan": "odd.zip", "state": "failed", "error": {"code": "not-brain-mr"}}


def shown(*jobs: Row, width: int = 200) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table(list(jobs)))
    return capture.get()


def test_the_table_has_the_time_of_the_worker_once_and_that_from_the_post_on() -> None:
    (row,) = [line for line in shown(JOB).splitlines() if "t1w.nii.gz" in line]

    assert " ".join(row.split()) == "t1w.nii.gz succeeded 0.250 3.2 mL 2 -40, 11, 6 8.0 s 9.1 s"


def test_the_table_says_what_its_times_and_places_are() -> None:
    text = shown(JOB)

    assert "centre of the" in text
    assert "largest, RAS mm" in text
    assert "scored in: what the worker took, from reading to writing." in text


def test_a_scan_that_was_not_scored_is_shown_with_the_code_of_its_error() -> None:
    assert "failed not-brain-mr" in shown(REFUSED)


def test_all_of_the_table_can_be_read_on_a_terminal_of_80_columns() -> None:
    job = {**JOB, "took_s": 1234.5, "summary": {**JOB["summary"], "volume_above_threshold_ml": 123.4}}
    job["summary"]["regions"] = [{"centroid_mm": [-40.2, -111.0, -60.6]}]
    long = {**job, "scan": "sub-0001_ses-02_acq-mprage_T1w.nii.gz"}

    lines = shown(job, long, REFUSED, width=80).splitlines()

    assert "…" not in "".join(lines)
    assert max(map(len, lines)) <= 80
    (row,) = [line for line in lines if line.startswith(" t1w.nii.gz")]
    assert " ".join(row.split()) == "t1w.nii.gz succeeded 0.250 123.4 mL 2 -40, -111, -61 8.0 s 1234.5 s"
    folded = [line.split()[0] for line in lines if line.startswith(" ") and line.strip()]
    assert long["scan"] in "".join(folded)
    assert any(line.split() == ["odd.zip", "failed"] for line in lines)
