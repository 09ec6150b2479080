"""Listing, canceling and deleting jobs."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_store import Jobs
from disyre.adapters.owner_index import InMemoryOwnerIndex
from disyre.job_id import new_job_id
from disyre.job_state import JobState
from service import listing
from service.caller import LOCAL
from service.listing import Page, Wanted
from service.own_jobs import OwnJobs
from tests.builders import NOON, make_job
from tests.live import wait_for
from tests.service.lifetimes import lifetimes_of
from tests.service.live_api import LiveApi, live_api
from tests.service.refused import check_refused

IDS = [f"019b7a00-0000-7000-8000-{n:012d}" for n in range(1, 8)]


def add_jobs(jobs: InMemoryJobStore, n_jobs: int) -> None:
    for job_id in IDS[:n_jobs]:
        jobs.add(make_job(job_id))


def start(api: LiveApi, job_id: str) -> None:
    api.jobs.update(job_id, lambda job: job.start(at=NOON))


def test_the_newest_job_is_listed_first(api: LiveApi) -> None:
    add_jobs(api.jobs, 3)

    page = api.client.get("/v1/jobs").json()

    assert [job["id"] for job in page["jobs"]] == IDS[2::-1]
    assert [job["queue_position"] for job in page["jobs"]] == [3, 2, 1]


def test_the_list_is_read_page_by_page_along_its_links(api: LiveApi) -> None:
    add_jobs(api.jobs, 5)
    found: list[str] = []
    response = api.client.get("/v1/jobs?limit=2&state=queued")

    while response.links:
        found += [job["id"] for job in response.json()["jobs"]]
        response = api.client.get(response.links["next"]["url"])

    found += [job["id"] for job in response.json()["jobs"]]
    assert found == IDS[4::-1]


def test_a_cursor_that_is_none_is_refused_in_words(api: LiveApi) -> None:
    response = api.client.get("/v1/jobs", params={"cursor": "ZZCANARY"})

    check_refused(api, response, 422, "invalid-request")
    assert response.json()["errors"] == [
        {"field": "query.cursor", "detail": "expected the next_cursor of another page"}
    ]


def test_jobs_are_listed_by_state(api: LiveApi) -> None:
    add_jobs(api.jobs, 3)
    start(api, IDS[0])
    api.client.post(f"/v1/jobs/{IDS[1]}/cancel")

    states = [job["state"] for job in api.client.get("/v1/jobs?state=running&state=canceled").json()["jobs"]]

    assert states == ["canceled", "running"]


def listed(api: LiveApi, **query: str | list[str]) -> list[str]:
    """The last digits of the ids of all jobs that a list has, page by page."""
    found: list[str] = []
    response = api.client.get("/v1/jobs", params={"limit": "2", **query})
    while True:
        assert response.status_code == 200, response.text
        found += [job["id"][-1] for job in response.json()["jobs"]]
        if not response.links:
            return found
        response = api.client.get(response.links["next"]["url"])


def test_jobs_are_listed_by_what_they_were_submitted_with(api: LiveApi) -> None:
    api.jobs.add(make_job(IDS[0], labels={"site": "a", "arm": "x"}, series_uid="1.2"))
    api.jobs.add(make_job(IDS[1], labels={"site": "a"}))
    api.jobs.add(make_job(IDS[2], labels={"site": "a:b"}, series_uid="1.2.3"))
    api.jobs.add(make_job(IDS[3], labels={"site": "b", "arm": "a"}))
    api.jobs.add(make_job(IDS[4], labels={"site:a": "b"}).model_copy(update={"model": None}))

    assert listed(api, model="toy") == ["4", "3", "2", "1"]
    assert listed(api, model="to") == []
    assert listed(api, label="site:a") == ["2", "1"]
    assert listed(api, label="site:a:b") == ["3"]  # and not 5, whose label is from before that was refused
    assert listed(api, label=["arm:x", "site:a"]) == ["1"]
    assert listed(api, label=["arm:x", "site:b"]) == []
    assert listed(api, series_uid="1.2") == ["1"]
    assert listed(api, series_uid="1.2", label="site:b") == []
    assert listed(api, state=["queued", "running"], label="arm:a") == ["4"]


def test_jobs_are_listed_by_when_they_were_created(api: LiveApi) -> None:
    times = [NOON + n * timedelta(microseconds=1) for n in range(5)]
    ids = [new_job_id(at) for at in times]
    for n, job_id in enumerate(ids):
        api.jobs.add(make_job(job_id, labels={"n": str(n)}))

    def numbers(**query: str) -> list[int]:
        found = api.client.get("/v1/jobs", params={"limit": "2", **query})
        jobs = found.json()["jobs"]
        while found.links:
            found = api.client.get(found.links["next"]["url"])
            jobs += found.json()["jobs"]
        return [ids.index(job["id"]) for job in jobs]

    assert numbers(created_after=times[3].isoformat()) == [4, 3]
    assert numbers(created_before=times[3].isoformat()) == [2, 1, 0]
    assert numbers(created_after=times[1].isoformat(), created_before=times[3].isoformat()) == [2, 1]
    assert numbers(created_after=times[3].isoformat(), created_before=times[3].isoformat()) == []
    assert numbers(created_before="1969-12-31T00:00:00Z") == []
    assert numbers(created_after="1969-12-31T00:00:00Z", label="n:2") == [2]
    assert numbers(created_after="9999-12-31T00:00:00Z") == []


@pytest.mark.parametrize("zone", ["+01:00", "+0100", "%2B01:00", "-01:00"])
def test_a_plus_before_the_zone_of_a_time_need_not_be_encoded(shared_api: LiveApi, zone: str) -> None:
    for time in (f"2026-01-31T12:00:00{zone}", f"2026-01-31T12:00:00.25{zone}", f"2026-01-31T12:00{zone}"):
        answer = shared_api.client.get(f"/v1/jobs?created_after={time}")

        assert answer.status_code == 200, answer.json()
    assert shared_api.client.get("/v1/jobs?created_after=2026-01-31+12:00").status_code == 422


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (
            {"created_after": "2026-01-01T12:00:00"},
            "expected a time with its zone, such as 2026-01-31T12:00:00Z, got text of 19 characters",
        ),
        (
            {"created_before": "ZZCANARY"},
            "expected a time with its zone, such as 2026-01-31T12:00:00Z, got text of 8 characters",
        ),
        (
            {"created_before": "1767225600"},
            "expected a time with its zone, such as 2026-01-31T12:00:00Z, got a number",
        ),
        ({"label": ":ZZCANARY"}, "expected the name of a label and its value, with a colon between"),
        ({"label": "ZZCANARY"}, "expected the name of a label and its value, with a colon between"),
        (
            {"series_uid": "ZZCANARY"},
            "expected a DICOM UID (digits and dots, at most 64), got text of 8 characters",
        ),
    ],
)
def test_a_filter_that_is_none_is_refused_in_words(api: LiveApi, query: dict[str, str], detail: str) -> None:
    response = api.client.get("/v1/jobs", params=query)

    check_refused(api, response, 422, "invalid-request")
    assert response.json()["errors"][0]["detail"] == detail


def test_few_jobs_among_many_are_found_in_few_steps() -> None:
    class CountingJobStore(InMemoryJobStore):
        n_lists = 0

        def list(self, *, limit: int, before: str | None = None) -> Jobs:
            self.n_lists += 1
            return super().list(limit=limit, before=before)

    jobs = CountingJobStore()
    for n in range(300):
        jobs.add(make_job(f"019b7a00-0000-7000-8000-{n:012d}"))
    jobs.update("019b7a00-0000-7000-8000-000000000000", lambda job: job.start(at=NOON))
    wanted = Wanted(states=[JobState.RUNNING])

    page = Page.read(OwnJobs(jobs, InMemoryOwnerIndex(), LOCAL, lifetimes_of(jobs)), wanted, limit=1)

    assert (len(page.jobs), jobs.n_lists) == (1, 3)


def test_a_page_ends_after_many_jobs_that_are_not_wanted_and_says_where_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "_MAX_LOOKED_AT", 200)
    jobs = InMemoryJobStore()
    for n in range(205):
        jobs.add(make_job(f"019b7a00-0000-7000-8000-{n:012d}"))

    wanted = Wanted(states=[JobState.FAILED])
    page = Page.read(OwnJobs(jobs, InMemoryOwnerIndex(), LOCAL, lifetimes_of(jobs)), wanted, limit=100)

    assert (page.jobs, page.cursor) == ([], "019b7a00-0000-7000-8000-000000000005")


def test_a_job_that_waits_is_canceled_at_once(api: LiveApi) -> None:
    add_jobs(api.jobs, 1)

    response = api.client.post(f"/v1/jobs/{IDS[0]}/cancel")

    assert (response.status_code, response.json()["state"]) == (200, "canceled")


def test_a_job_that_runs_is_asked_to_stop_as_often_as_one_likes(api: LiveApi) -> None:
    add_jobs(api.jobs, 1)
    start(api, IDS[0])

    responses = [api.client.post(f"/v1/jobs/{IDS[0]}/cancel") for _ in range(2)]

    assert [(each.status_code, each.json()["state"]) for each in responses] == [(202, "canceling")] * 2


def test_a_job_that_is_finished_cannot_be_canceled(api: LiveApi) -> None:
    add_jobs(api.jobs, 1)
    api.client.post(f"/v1/jobs/{IDS[0]}/cancel")

    response = api.client.post(f"/v1/jobs/{IDS[0]}/cancel")

    problem = response.json()
    assert (response.status_code, problem["code"], problem["job_id"]) == (409, "illegal-transition", IDS[0])


def test_a_deleted_job_leaves_nothing(api: LiveApi, scan: bytes) -> None:
    job_id = api.client.post("/v1/jobs", content=scan).json()["id"]

    response = api.client.delete(f"/v1/jobs/{job_id}")

    assert (response.status_code, response.content) == (204, b"")
    assert api.client.get(f"/v1/jobs/{job_id}").status_code == 404
    assert (api.left_behind(), api.jobs.waiting()) == ([], [])


@pytest.mark.parametrize("canceling", [False, True])
def test_a_job_that_a_worker_has_cannot_be_deleted(api: LiveApi, scan: bytes, canceling: bool) -> None:
    job_id = api.client.post("/v1/jobs", content=scan).json()["id"]
    start(api, job_id)
    if canceling:
        api.client.post(f"/v1/jobs/{job_id}/cancel")
    before = api.jobs.get(job_id)

    response = api.client.delete(f"/v1/jobs/{job_id}")

    assert (response.status_code, response.json()["code"]) == (409, "illegal-transition")
    assert api.jobs.get(job_id) == before
    assert api.artifacts.input_file(job_id, "000001").exists()


def test_a_job_that_was_never_sent_is_sent_by_the_reaper(tmp_path: Path) -> None:
    with live_api(tmp_path, reap_interval_s=0.05) as api:
        api.jobs.add(make_job())

        wait_for(lambda: api.queue.job_ids == [make_job().id], "the job is in the queue")


def test_what_a_killed_api_had_received_of_an_upload_is_gone_when_the_next_has_started(
    tmp_path: Path,
) -> None:
    left = tmp_path / "data" / "incoming" / "left"
    left.mkdir(parents=True)
    os.utime(left, (1_000_000_000, 1_000_000_000))

    with live_api(tmp_path) as api:
        assert api.left_behind() == []
