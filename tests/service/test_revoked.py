"""Whose key is taken away, or whose token ends, hears no more, also if they began to listen before."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from service import following
from tests.builders import JOB_ID, make_job
from tests.service.key_files import client_of, write_keys
from tests.service.live_api import PATIENCE_S, LiveApi, live_api

KEYS = "api-keys"


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveApi]:
    """An API that asks for keys, with a job of the PACS that waits."""
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 0.1)
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path)) as api:
        api.jobs.add(make_job(JOB_ID).model_copy(update={"owner": "pacs"}))
        yield api


def change_keys(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Write the file of keys anew; its entries begin with their heading."""
    path = folder / KEYS
    heading = "[[key]]"
    entries = [heading + each for each in path.read_text().split(heading) if each.strip()]
    path.write_text("".join(change(entries)))


def told(answer: httpx.Response) -> tuple[int, str]:
    """How a request was refused."""
    return answer.status_code, answer.json()["code"]


def revoke(folder: Path, name: str) -> None:
    change_keys(folder, lambda entries: [each for each in entries if f'"{name}"' not in each])


def test_a_stream_of_events_ends_with_the_key_that_it_was_opened_with(
    guarded: LiveApi, tmp_path: Path
) -> None:
    with (
        client_of(guarded, "pacs") as client,
        client.stream("GET", f"/v1/jobs/{JOB_ID}/events") as response,
    ):
        lines = response.iter_lines()
        assert next(lines).startswith("event: state")
        revoke(tmp_path, "pacs")

        assert "failed" not in "".join(lines)  # and they end

        assert told(client.get(f"/v1/jobs/{JOB_ID}/events")) == (401, "unauthenticated")


def test_a_long_poll_is_refused_when_the_key_is_taken_away_that_it_began_with(
    guarded: LiveApi, tmp_path: Path
) -> None:
    answers: list[httpx.Response] = []

    def poll() -> None:
        with client_of(guarded, "pacs") as client:
            answers.append(client.get(f"/v1/jobs/{JOB_ID}", params={"wait": PATIENCE_S - 1}))

    polling = threading.Thread(target=poll)
    polling.start()
    threading.Timer(0.3, revoke, (tmp_path, "pacs")).start()
    polling.join()

    assert told(answers[0]) == (401, "unauthenticated")
    assert "for as long as the wait" in answers[0].json()["detail"]


def test_who_reads_with_another_scope_now_reads_with_that(guarded: LiveApi, tmp_path: Path) -> None:
    """An admin who is one no more sees no more of the jobs of others."""
    with (
        client_of(guarded, "boss") as client,
        client.stream("GET", f"/v1/jobs/{JOB_ID}/events") as response,
    ):
        lines = response.iter_lines()
        assert next(lines).startswith("event: state")
        change_keys(tmp_path, lambda entries: [each.replace('"admin"', '"read"') for each in entries])

        list(lines)

        assert told(client.get(f"/v1/jobs/{JOB_ID}/events")) == (404, "job-not-found")


def test_who_keeps_the_key_goes_on_though_others_lose_theirs(guarded: LiveApi, tmp_path: Path) -> None:
    with (
        client_of(guarded, "pacs") as client,
        client.stream("GET", f"/v1/jobs/{JOB_ID}/events") as response,
    ):
        lines = response.iter_lines()
        assert next(lines).startswith("event: state")
        revoke(tmp_path, "ward-3")
        with client_of(guarded, "ward-3") as other:
            while other.get("/v1/queue").status_code != 401:
                pass
        client.post(f"/v1/jobs/{JOB_ID}/cancel")

        assert any('"state":"canceled"' in line for line in lines)
