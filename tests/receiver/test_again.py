"""A series that comes again is judged anew if nothing came of it; else it is known, and the log says so."""

import shutil
from pathlib import Path

import httpx
import pytest

from tests.e2e.stack import Serve
from tests.receiver.nodes import Node, live_node
from tests.receiver.receiving import LiveReceiver, jobs_of, receiving, series_in, without_dcmtk
from tests.receiver.test_destinations import rules_of

pytestmark = [pytest.mark.servers, without_dcmtk, pytest.mark.timeout(400)]


def restart(receiver: LiveReceiver, rules: str) -> None:
    receiver.kill()
    receiver.rules = rules
    receiver.start()


def test_what_was_rejected_and_refused_is_judged_anew_and_what_was_scored_is_known(
    stack: Serve, tmp_path: Path
) -> None:
    files = series_in(tmp_path / "in", "again")
    before = jobs_of(stack)
    with live_node(Node()) as pacs:
        good = rules_of("pacs", pacs=pacs.port, outputs='["seg"]')
        too_many, unknown = good.replace("slices = 4", "slices = 900"), good.replace('"t1w"', '"nosuch"')
        receiver = LiveReceiver(tmp_path / "receiver", api_port=stack.port, rules=too_many)
        with receiving(receiver):
            assert receiver.store(*files) == 0
            receiver.log_has("is not eligible: rule heads: expected slices of at least 900, got 60")
            assert receiver.store(*files) == 0  # once more, with the same rules
            receiver.log_has("is not eligible: ", times=2)

            restart(receiver, unknown)  # what is kept is judged by the new rules
            receiver.log_has("rule heads: expected a model that is there (slow, t1w), got nosuch")
            receiver.log_has("has ended: refused: unknown-model")

            restart(receiver, good)
            receiver.log_has("has ended: sent")
            assert receiver.store(*files) == 0
            receiver.log_has("is known: sent as job ")
            assert jobs_of(stack) == before + 1

            restart(receiver, rules_of("pacs", pacs=pacs.port, outputs='["seg", "pm"]'))
            assert receiver.text().count("is taken by rule") == 2
            assert receiver.store(*files) == 0  # now more is asked for
            receiver.log_has("has ended: sent", times=2)

    assert jobs_of(stack) == before + 2
    assert pacs.modalities == ["OT", "SEG", "SEG"]
    assert "idempotency-mismatch" not in receiver.text()


def test_what_failed_and_comes_again_is_another_job(stack: Serve, tmp_path: Path) -> None:
    files = series_in(tmp_path / "in", "flat", is_flat=True)
    before = jobs_of(stack)
    rules = rules_of(outputs='["seg"]')
    receiver = LiveReceiver(tmp_path / "receiver", api_port=stack.port, rules=rules, may_fail=True)
    with receiving(receiver):
        assert receiver.store(*files) == 0
        receiver.log_has("has ended: failed: ")
        restart(receiver, rules)
        assert receiver.store(*files) == 0
        receiver.log_has("has ended: failed: ", times=2)

    assert jobs_of(stack) == before + 2


def test_what_comes_again_while_its_job_is_under_way_is_known(stack: Serve, tmp_path: Path) -> None:
    files = series_in(tmp_path / "in", "under way")
    with live_node(Node(), title="OTHER") as pacs:
        rules = rules_of("pacs", pacs=pacs.port, outputs='["seg"]')
        receiver = LiveReceiver(tmp_path / "receiver", api_port=stack.port, rules=rules)
        with receiving(receiver):
            assert receiver.store(*files) == 0
            receiver.log_has("goes on in")
            assert receiver.store(*files) == 0
            receiver.log_has("is known: under way as job ")


def test_what_is_known_and_was_deleted_is_scored_anew_once_it_is_wanted(stack: Serve, tmp_path: Path) -> None:
    files = series_in(tmp_path / "in", "deleted")
    rules = rules_of(outputs='["seg"]')
    receiver = LiveReceiver(tmp_path / "receiver", api_port=stack.port, rules=rules, may_fail=True)
    with live_node(Node()) as pacs, receiving(receiver):
        assert receiver.store(*files) == 0
        receiver.log_has("has ended: scored")
        delete_last_job(stack)

        restart(receiver, rules_of("pacs", pacs=pacs.port, outputs='["seg"]'))
        assert receiver.store(*files) == 0
        receiver.log_has("is scored anew: the API has forgotten job ")
        receiver.log_has("has ended: sent")
        assert pacs.modalities == ["SEG"]


def test_a_deleted_job_of_a_spool_that_is_gone_is_told_of_and_holds_nothing_up(
    stack: Serve, tmp_path: Path
) -> None:
    files = series_in(tmp_path / "in", "spool")
    rules = rules_of(outputs='["seg"]')
    receiver = LiveReceiver(tmp_path / "receiver", api_port=stack.port, rules=rules)
    with receiving(receiver):
        assert receiver.store(*files) == 0
        receiver.log_has("has ended: scored")
        delete_last_job(stack)
        receiver.kill()
        shutil.rmtree(tmp_path / "receiver" / "spool")
        receiver.start()
        assert receiver.store(*files) == 0
        receiver.log_has("has ended: lost: the API has had the job, and has it no more")
        assert receiver.store(*files) == 0
        receiver.log_has("has ended: scored", times=2)


def delete_last_job(stack: Serve) -> None:
    job = stack.get("/v1/jobs?limit=1").json()["jobs"][0]["id"]
    answer = httpx.delete(f"http://127.0.0.1:{stack.port}/v1/jobs/{job}", timeout=10)
    assert answer.is_success
