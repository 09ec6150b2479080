"""How a client follows a job by server-sent events."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from fastapi.sse import _PING_INTERVAL

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_events import InMemoryJobEvents
from disyre.errors import Unavailable
from disyre.job import Job, JobProblem
from disyre.job_event import JobEvent
from disyre.progress import Progress
from service.drain import Drain
from service.event_hub import EventHub, Listener
from tests.builders import NOON, make_job
from tests.live import wait_for
from tests.service.live_api import PATIENCE_S, LiveApi, live_api
from tests.service.refused import check_refused

FIRST, SECOND = (f"019b7a00-0000-7000-8000-00000000000{n}" for n in (1, 2))
N_LISTENERS: Final = 200


def start(jobs: InMemoryJobStore, job_id: str = FIRST) -> Job:
    return jobs.update(job_id, lambda job: job.start(at=NOON))


def report(jobs: InMemoryJobStore, fraction: float) -> Job:
    progress = Progress(stage="restoring", step=1, steps=4, fraction=fraction)
    return jobs.update(FIRST, lambda job: job.report(progress, attempt=job.attempt))


def fail(jobs: InMemoryJobStore) -> Job:
    problem = JobProblem(code="empty-image", detail="nothing to score")
    return jobs.update(FIRST, lambda job: job.fail(problem, attempt=job.attempt, at=NOON))


Event = tuple[str, int, str]
"""Kind, id and state."""


def parsed(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Events as they come; comments are passed over."""
    fields: dict[str, Any] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield {**fields, "data": json.loads(fields["data"])}
            fields = {}


def brief(event: dict[str, Any]) -> Event:
    assert event["data"]["revision"] == int(event["id"])
    return event["event"], int(event["id"]), event["data"]["state"]


def all_events(api: LiveApi, **headers: str) -> list[Event]:
    """All events of the first job, up to its end."""
    with api.client.stream("GET", f"/v1/jobs/{FIRST}/events", headers=headers) as response:
        assert response.status_code == 200
        return [brief(event) for event in parsed(response.iter_lines())]


def test_a_job_is_followed_from_how_it_is_to_its_end(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST), make_job(SECOND))
    start(api.jobs)
    with api.client.stream("GET", f"/v1/jobs/{FIRST}/events") as response:
        events = parsed(response.iter_lines())
        seen = [next(events)]
        report(api.jobs, 0.25)
        seen.append(next(events))
        start(api.jobs, SECOND)
        fail(api.jobs)
        seen += events

    assert [brief(event) for event in seen] == [
        ("state", 2, "running"),
        ("progress", 3, "running"),
        ("state", 4, "failed"),
    ]
    assert seen[1]["data"] == {
        "job_id": FIRST,
        "revision": 3,
        "state": "running",
        "attempt": 1,
        "progress": {"stage": "restoring", "step": 1, "steps": 4, "fraction": 0.25, "eta_s": None},
    }
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-cache"


def test_a_finished_job_is_told_at_once(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))
    start(api.jobs)
    fail(api.jobs)

    assert all_events(api) == [("state", 3, "failed")]


def test_who_comes_back_hears_of_what_was_missed(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))
    start(api.jobs)
    report(api.jobs, 0.25)
    report(api.jobs, 0.5)
    fail(api.jobs)

    events = all_events(api, **{"Last-Event-ID": "2"})

    assert events == [("progress", 3, "running"), ("progress", 4, "running"), ("state", 5, "failed")]


def test_who_comes_back_after_events_were_forgotten_hears_how_the_job_is(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))
    start(api.jobs)
    fail(api.jobs)
    api.jobs.events.forget(FIRST)

    assert all_events(api, **{"Last-Event-ID": "1"}) == [("state", 3, "failed")]


@pytest.mark.parametrize("last", ["0", "1"])
def test_who_has_heard_of_nothing_is_told_all_that_is_kept(api: LiveApi, last: str) -> None:
    api.jobs.add(make_job(FIRST))
    start(api.jobs)
    report(api.jobs, 0.25)
    fail(api.jobs)

    events = all_events(api, **{"Last-Event-ID": last})

    first = [("state", 1, "queued")] if last == "0" else []
    assert events == [*first, ("state", 2, "running"), ("progress", 3, "running"), ("state", 4, "failed")]


def test_all_that_is_kept_of_a_job_of_which_nothing_is_kept_is_how_it_is(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))
    start(api.jobs)
    fail(api.jobs)
    api.jobs.events.forget(FIRST)

    assert all_events(api, **{"Last-Event-ID": "0"}) == [("state", 3, "failed")]


@pytest.mark.parametrize("last", ["4", "99999999999999999999", "-1", "ZZCANARY", ""])
def test_an_id_that_no_event_had_is_as_good_as_none(api: LiveApi, last: str) -> None:
    api.jobs.add(make_job(FIRST))
    start(api.jobs)
    fail(api.jobs)

    assert all_events(api, **{"Last-Event-ID": last}) == [("state", 3, "failed")]


def test_who_has_heard_of_the_end_is_told_that_nothing_more_comes(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))
    start(api.jobs)
    fail(api.jobs)

    response = api.client.get(f"/v1/jobs/{FIRST}/events", headers={"Last-Event-ID": "3"})

    assert (response.status_code, response.content) == (204, b"")


def test_who_has_heard_of_all_waits_for_what_comes(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))
    start(api.jobs)
    failing = threading.Timer(0.1, lambda: fail(api.jobs))
    failing.start()

    assert all_events(api, **{"Last-Event-ID": "2"}) == [("state", 3, "failed")]

    failing.join()


def test_a_job_that_there_is_not_is_not_followed(api: LiveApi) -> None:
    check_refused(api, api.client.get(f"/v1/jobs/{FIRST}/events"), 404, "job-not-found")


@contextmanager
def following(folder: Path, jobs: InMemoryJobStore) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of the first job in a store, as an API of its own tells them."""
    with (
        live_api(folder, jobs=jobs) as api,
        api.client.stream("GET", f"/v1/jobs/{FIRST}/events") as response,
    ):
        yield parsed(response.iter_lines())


def test_a_deleted_job_is_followed_no_more(tmp_path: Path) -> None:
    store = InMemoryJobStore()
    events = UnsteadyEvents()
    store.events = events
    store.add(make_job(FIRST))
    with following(tmp_path, store) as followed:
        next(followed)
        store.remove(FIRST)
        events.fails = 1  # after which everybody looks

        assert list(followed) == []


def test_who_follows_is_let_go_when_the_process_is_to_stop(tmp_path: Path) -> None:
    jobs = InMemoryJobStore()
    jobs.add(make_job(FIRST))
    ended: list[list[Event]] = []
    begun = threading.Event()

    def listen(url: httpx.URL) -> None:
        with httpx.stream("GET", url, timeout=2 * PATIENCE_S) as response:
            events = parsed(response.iter_lines())
            first = next(events)
            begun.set()
            ended.append([brief(first), *map(brief, events)])

    with live_api(tmp_path, jobs=jobs) as api:
        thread = threading.Thread(target=listen, args=(api.client.base_url.join(f"/v1/jobs/{FIRST}/events"),))
        thread.start()
        assert begun.wait(PATIENCE_S)
        stopped_at = time.monotonic()
    thread.join()

    assert ended == [[("state", 1, "queued")]]
    assert time.monotonic() - stopped_at < PATIENCE_S


def test_without_news_a_comment_shows_that_the_connection_is_there(
    api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _PING_INTERVAL == 15
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    api.jobs.add(make_job(FIRST))

    with api.client.stream("GET", f"/v1/jobs/{FIRST}/events") as response:
        assert any(line.startswith(":") for line in response.iter_lines())


class UnsteadyEvents(InMemoryJobEvents):
    """Of a broker that is away now and then; counts how often it is read."""

    fails = 0
    error: type[Exception] = Unavailable
    n_reads = 0

    def read(self, after: str, *, wait_s: float) -> tuple[str, Sequence[JobEvent]]:
        self.n_reads += 1
        found = super().read(after, wait_s=min(wait_s, 0.2))
        if self.fails:
            self.fails -= 1
            raise self.error("away")  # and what was found is lost
        return found


class CountingJobStore(InMemoryJobStore):
    n_reads = 0
    fails = 0

    def get(self, job_id: str) -> Job:
        self.n_reads += 1
        if self.fails:
            self.fails -= 1
            raise Unavailable("away")
        return super().get(job_id)


@pytest.mark.parametrize("error", [Unavailable, RuntimeError])
def test_an_outage_costs_no_event(tmp_path: Path, error: type[Exception]) -> None:
    jobs, events = CountingJobStore(), UnsteadyEvents()
    jobs.events, events.error = events, error
    jobs.add(make_job(FIRST))
    with following(tmp_path, jobs) as followed:
        seen = [next(followed)]
        wait_for(lambda: events.n_reads, "the hub reads")
        events.fails = 2
        start(jobs)
        report(jobs, 0.25)
        wait_for(lambda: not events.fails, "the outage is over")
        seen.append(next(followed))
        fail(jobs)
        seen += followed

    assert [brief(event)[1] for event in seen] == [1, 2, 3, 4]


def test_who_looks_while_the_broker_is_away_looks_again(tmp_path: Path) -> None:
    jobs, events = CountingJobStore(), UnsteadyEvents()
    jobs.events = events
    jobs.add(make_job(FIRST))
    with following(tmp_path, jobs) as followed:
        next(followed)
        wait_for(lambda: events.n_reads, "the hub reads")
        jobs.fails = 1
        events.fails = 1  # after which everybody looks
        wait_for(lambda: not jobs.fails, "a look has failed")
        jobs.update(FIRST, lambda job: job.request_cancel(at=NOON))

        assert [brief(event)[2] for event in followed] == ["canceled"]


def test_two_hundred_listeners_hear_of_one_change_at_the_cost_of_one(tmp_path: Path) -> None:
    jobs, events = CountingJobStore(), UnsteadyEvents()
    jobs.events = events
    jobs.add(make_job(FIRST))
    with live_api(tmp_path, jobs=jobs) as api:
        host, port = api.address

        async def listen_all() -> tuple[float, int]:
            streams = [await asyncio.open_connection(host, port) for _ in range(N_LISTENERS)]
            for _, writer in streams:
                writer.write(f"GET /v1/jobs/{FIRST}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            for reader, _ in streams:
                await reader.readuntil(b'"state":"queued"')
            await asyncio.sleep(0.5)  # until the first look of the hub is over
            n_reads = jobs.n_reads
            begun = time.monotonic()
            await asyncio.to_thread(start, jobs)
            for reader, _ in streams:
                await reader.readuntil(b'"state":"running"')
            took_s = time.monotonic() - begun
            for _, writer in streams:
                writer.close()
            return took_s, jobs.n_reads - n_reads

        took_s, n_reads = asyncio.run(asyncio.wait_for(listen_all(), 3 * PATIENCE_S))

    assert took_s < PATIENCE_S
    assert n_reads < N_LISTENERS / 10


def test_a_listener_that_is_slow_is_told_to_look_for_itself() -> None:
    async def run() -> tuple[int, bool]:
        listener = Listener(Drain())
        for _ in range(1000):
            listener.tell(JobEvent.of(make_job()))
        news = await listener.news(within_s=1)
        return len(news.events), news.missed

    assert asyncio.run(run()) == (100, True)


def test_a_hub_that_nobody_listens_to_reads_nothing() -> None:
    events = UnsteadyEvents()

    async def run() -> int:
        hub = EventHub(events, Drain())
        await hub.stop()
        with hub.listen(FIRST) as listener:
            assert (await listener.news(within_s=PATIENCE_S)).missed
        while hub.is_reading:
            await asyncio.sleep(0.01)
        before = events.n_reads
        await asyncio.sleep(0.3)
        return events.n_reads - before

    assert asyncio.run(run()) == 0
