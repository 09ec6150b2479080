"""What goes to a destination goes on by itself, and what is known of it outlives the receiver."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from disyre.eligibility import Destination
from receiver.delivered import Refusal
from receiver.outbox import Outbox
from receiver.past import Past
from receiver.spool import Spool, SpooledJob
from tests.live import wait_for
from tests.receiver.nodes import Node, live_node
from tests.receiver.test_sender import make_file

pytestmark = pytest.mark.timeout(120)


def job_in(folder: Path, **state: object) -> SpooledJob:
    """A job whose results are here: a map, regions and a report."""
    (folder / "results").mkdir(parents=True)
    for modality in ("OT", "SEG", "SR"):
        make_file(folder / "results" / modality, modality)
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    return SpooledJob(folder)


def is_done(outbox: Outbox, job: SpooledJob) -> Callable[[], bool]:
    files = sorted(job.results.iterdir())
    return lambda: outbox.go_on(job, files) is None


def test_a_file_at_which_the_connection_is_lost_comes_last_the_next_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node()

    def hang_up_at_maps(modality: str) -> int:
        if modality == "OT":
            node.hang_up()
        return 0

    node.status_of = hang_up_at_maps
    job = job_in(tmp_path / "job")
    with live_node(node):
        destination = Destination(ae_title="PACS", host="127.0.0.1", port=node.port)
        outbox = Outbox("pacs", destination, own_title="DISYRE")
        go_on = is_done(outbox, job)
        wait_for(lambda: go_on() or node.offered.count("OT") >= 2, "it is tried again")
        outbox.close()

    assert node.offered[:4] == ["OT", "SEG", "SR", "OT"]
    assert sorted(job.delivered("pacs").sent) == ["SEG", "SR"]
    assert "goes on in 1 s: destination pacs: connection lost: it was aborted" in caplog.text


def test_a_destination_that_the_rules_do_not_have_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox("pacs", None, own_title="DISYRE")
    go_on = is_done(outbox, job_in(tmp_path / "job"))

    wait_for(
        lambda: go_on() or "destination pacs: the rules do not have it any more" in caplog.text, "it says so"
    )
    outbox.close()


def test_what_was_sent_and_refused_is_not_sent_again(tmp_path: Path) -> None:
    job = job_in(tmp_path / "job", sent={"pacs": ["SEG"]})  # as an older version has it
    job.deliver("pacs", ["SR"], {"OT": Refusal("Parametric Map Storage", "abstract syntax not supported")})

    assert is_done(Outbox("pacs", None, own_title="DISYRE"), SpooledJob(job.folder))()
    assert not is_done(Outbox("other", None, own_title="DISYRE"), job)()


@pytest.mark.parametrize("outcome", ["sent", "scored"])
def test_what_an_older_version_knew_of_images_counts(tmp_path: Path, outcome: str) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1, max_instances=1)
    spool.open()
    (tmp_path / "spool" / "done" / "a").write_text(json.dumps({"outcome": outcome}), encoding="utf-8")
    (tmp_path / "spool" / "done" / "b").write_text("{", encoding="utf-8")

    assert spool.past("a") == Past(outcome=outcome)
    assert spool.past("b") is spool.past("c") is None
    spool.close()
