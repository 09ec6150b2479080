"""What the API says of a series is in the log of the receiver, and in what it keeps of the series."""

from contextlib import closing
from pathlib import Path

import pytest

from disyre.adapters.series_spool import write_json
from disyre.eligibility import Rule, Rules
from receiver.delivery import Delivery
from receiver.spool import Spool
from tests.disyre.client.scripted_api import problem, scripted_api


@pytest.mark.parametrize(
    ("detail", "outcome"),
    [
        (
            "expected slices at equal distances,\n got a gap",
            "refused: irregular-slices: expected slices at equal distances, got a gap",
        ),
        ("", "refused: irregular-slices"),
    ],
)
def test_a_series_that_is_refused_is_told_of_with_the_sentence_that_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, detail: str, outcome: str
) -> None:
    caplog.set_level("INFO", logger="receiver")
    rule = Rule(name="heads")
    spool = Spool(tmp_path, max_bytes=10**6, max_instances=10)
    spool.open()
    job = spool.job("0a")
    (job.folder / "images").mkdir(parents=True)
    (job.folder / "images" / "1").write_bytes(b"an image")
    write_json(job.folder / "state.json", {"rule": rule.model_dump(mode="json"), "series": "ab42"})
    with (
        scripted_api(problem(422, "irregular-slices", detail)) as api,
        api.client() as client,
        closing(Delivery(client, spool, Rules(rules=(rule,)), own_title="DISYRE")) as delivery,
    ):
        assert delivery.step(job) is None

    past = spool.past("0a")
    spool.close()
    assert past is not None
    assert (past.outcome, past.is_success) == (outcome, False)
    assert caplog.messages == [f"series ab42 has ended: {outcome}"]
