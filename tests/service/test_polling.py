"""How a client follows a job."""

import threading
import time
from http import HTTPStatus
from pathlib import Path

import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.errors import Unavailable
from disyre.job import Job, JobProblem
from disyre.progress import Progress
from service.schemas import JobView
from tests.builders import NOON, make_job
from tests.live import wait_for
from tests.service.live_api import LiveApi, live_api

FIRST, SECOND = (f"019b7a00-0000-7000-8000-00000000000{n}" for n in (1, 2))


def start(api: LiveApi, job_id: str) -> Job:
    return api.jobs.update(job_id, lambda job: job.start(at=NOON))


def fail(api: LiveApi, job_id: str) -> Job:
    problem = JobProblem(code="empty-image", detail="nothing to score")
    return api.jobs.update(job_id, lambda job: job.fail(problem, attempt=job.attempt, at=NOON))


def test_the_revision_is_the_entity_tag(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))

    response = api.client.get(f"/v1/jobs/{FIRST}")

    assert response.headers["ETag"] == '"1"'
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert int(response.headers["Retry-After"]) >= 1


def test_an_id_may_be_written_in_large_letters_as_any_uuid(api: LiveApi) -> None:
    api.jobs.add(make_job("019b7a00-0000-7000-8000-00000000000a"))

    response = api.client.get("/v1/jobs/019B7A00-0000-7000-8000-00000000000A")

    assert (response.status_code, response.json()["id"]) == (200, "019b7a00-0000-7000-8000-00000000000a")


def test_a_job_that_has_not_changed_is_not_sent_again(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))

    response = api.client.get(f"/v1/jobs/{FIRST}", headers={"If-None-Match": '"1"'})

    assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", '"1"')


def test_a_job_that_has_changed_is_sent_again(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))
    start(api, FIRST)

    response = api.client.get(f"/v1/jobs/{FIRST}", headers={"If-None-Match": '"1"'})

    assert (response.status_code, response.json()["state"], response.headers["ETag"]) == (
        200,
        "running",
        '"2"',
    )


def test_a_finished_job_says_why_it_failed_and_that_no_more_will_come(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))
    start(api, FIRST)
    fail(api, FIRST)

    response = api.client.get(f"/v1/jobs/{FIRST}")

    assert response.json()["error"] == {
        "type": "about:blank",
        "title": HTTPStatus.UNPROCESSABLE_ENTITY.phrase,
        "status": 422,
        "detail": "nothing to score",
        "code": "empty-image",
        "instance": f"/v1/jobs/{FIRST}",
        "job_id": FIRST,
        "errors": None,
        "candidates": None,
    }
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize("code", ["worker-lost", "internal", "timeout"])
def test_a_failure_that_is_no_fault_of_the_scan_is_one_of_the_service(code: str) -> None:
    failed = make_job().start(at=NOON).fail(JobProblem(code=code, detail="?"), attempt=1, at=NOON)

    error = JobView.of(failed).error

    assert error is not None
    assert error.status == HTTPStatus.INTERNAL_SERVER_ERROR


def test_a_job_links_to_what_can_be_done_with_it() -> None:
    begun = make_job(FIRST).start(at=NOON)
    failed = begun.fail(JobProblem(code="empty-image", detail="?"), attempt=1, at=NOON)
    succeeded = begun.succeed(attempt=1, artifacts=(), summary={}, provider="CPU", at=NOON)
    path = f"/v1/jobs/{FIRST}"

    links = [JobView.of(job).links.model_dump() for job in (begun, failed, succeeded)]

    none = {"self": path, "events": f"{path}/events", "results": None, "cancel": None, "retry": None}
    assert links == [
        {**none, "cancel": f"{path}/cancel"},
        {**none, "retry": f"{path}/retry"},
        {**none, "results": f"{path}/results"},
    ]


def poll_in_background(api: LiveApi, path: str, **headers: str) -> tuple[threading.Thread, list[str]]:
    states: list[str] = []

    def poll() -> None:
        states.append(api.client.get(path, headers=headers).json()["state"])

    thread = threading.Thread(target=poll)
    thread.start()
    return thread, states


def test_a_long_poll_answers_when_the_job_changes(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))
    thread, states = poll_in_background(api, f"/v1/jobs/{FIRST}?wait=25", **{"If-None-Match": '"1"'})

    start(api, FIRST)

    wait_for(lambda: not thread.is_alive(), "the poll is answered")
    assert states == ["running"]


def test_a_long_poll_without_a_tag_answers_when_the_job_is_finished(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))
    start(api, FIRST)
    thread, states = poll_in_background(api, f"/v1/jobs/{FIRST}?wait=25")

    fail(api, FIRST)

    wait_for(lambda: not thread.is_alive(), "the poll is answered")
    assert states == ["failed"]


def test_a_long_poll_ends_when_its_time_is_over(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))

    response = api.client.get(f"/v1/jobs/{FIRST}?wait=0.1", headers={"If-None-Match": '"1"'})

    assert response.status_code == 304


def test_many_long_polls_do_not_keep_others_waiting(tmp_path: Path) -> None:
    with live_api(tmp_path) as api:
        api.jobs.add(make_job(FIRST))
        polls = [poll_in_background(api, f"/v1/jobs/{FIRST}?wait=25") for _ in range(60)]

        response = api.client.get("/v1/jobs")

        assert response.status_code == 200
        api.client.post(f"/v1/jobs/{FIRST}/cancel")
        for thread, states in polls:
            thread.join()
            assert states == ["canceled"]


@pytest.mark.parametrize("wait", ["-1", "26", "long"])
def test_a_wait_outside_its_limits_is_refused(api: LiveApi, wait: str) -> None:
    assert api.client.get(f"/v1/jobs/{FIRST}", params={"wait": wait}).status_code == 422


def running(eta_s: float | None) -> Job:
    return make_job().start(at=NOON).report(Progress(stage="restoring", fraction=0.5, eta_s=eta_s), attempt=1)


@pytest.mark.parametrize(("eta_s", "retry_after_s"), [(0.1, 1), (20, 5), (1000, 30), (None, 2)])
def test_the_next_look_is_worth_it_after_a_quarter_of_the_time_that_is_left(
    eta_s: float | None, retry_after_s: int
) -> None:
    assert JobView.of(running(eta_s)).retry_after_s() == retry_after_s


@pytest.mark.parametrize("prefer", ["wait=10", 'respond-async, Wait="10"; x=y'])
def test_how_long_a_client_waits_may_be_a_preference(api: LiveApi, prefer: str) -> None:
    api.jobs.add(make_job(FIRST))
    start(api, FIRST)
    failing = threading.Timer(0.1, lambda: fail(api, FIRST))
    failing.start()

    response = api.client.get(f"/v1/jobs/{FIRST}", headers={"Prefer": prefer})

    failing.join()
    assert response.json()["state"] == "failed"
    assert response.headers["Preference-Applied"] == "wait=10"


@pytest.mark.parametrize(
    ("prefer", "query", "applied"),
    [
        ("wait=0", "", "wait=0"),
        ("wait=999", "?wait=0", None),
        ("wait=long", "", None),
        ("return=minimal", "", None),
    ],
)
def test_a_preference_that_says_nothing_of_a_wait_and_one_beside_the_parameter_are_ignored(
    api: LiveApi, prefer: str, query: str, applied: str | None
) -> None:
    api.jobs.add(make_job(FIRST))

    response = api.client.get(f"/v1/jobs/{FIRST}{query}", headers={"Prefer": prefer})

    assert (response.status_code, response.json()["state"]) == (200, "queued")
    assert response.headers.get("Preference-Applied") == applied


def test_a_longer_wait_than_the_longest_is_preferred_in_vain(api: LiveApi) -> None:
    api.jobs.add(make_job(FIRST))
    start(api, FIRST)
    fail(api, FIRST)

    response = api.client.get(f"/v1/jobs/{FIRST}", headers={"Prefer": "wait=999"})

    assert response.headers["Preference-Applied"] == "wait=25"


class CountingJobStore(InMemoryJobStore):
    n_reads = 0

    def get(self, job_id: str) -> Job:
        self.n_reads += 1
        return super().get(job_id)


def report(jobs: InMemoryJobStore, fraction: float) -> Job:
    progress = Progress(stage="restoring", fraction=fraction)
    return jobs.update(FIRST, lambda job: job.report(progress, attempt=1))


def test_waiting_costs_no_look_at_the_job_whatever_its_progress(tmp_path: Path) -> None:
    jobs = CountingJobStore()
    jobs.add(make_job(FIRST))
    jobs.update(FIRST, lambda job: job.start(at=NOON))
    with live_api(tmp_path, jobs=jobs) as api:
        polls = [poll_in_background(api, f"/v1/jobs/{FIRST}?wait=25") for _ in range(20)]
        wait_for(lambda: jobs.n_reads >= 22, "all polls wait")
        time.sleep(0.5)  # until those that the hub told to look have looked
        before = jobs.n_reads
        for n in range(50):
            report(jobs, n / 50)
        while_running = jobs.n_reads - before
        problem = JobProblem(code="empty-image", detail="nothing to score")
        jobs.update(FIRST, lambda job: job.fail(problem, attempt=1, at=NOON))
        for thread, _ in polls:
            thread.join()

    assert [states for _, states in polls] == [["failed"]] * 20
    assert while_running < 2 * 50  # of which 50 are the updates themselves


def test_a_poll_outlasts_a_broker_that_is_away(tmp_path: Path) -> None:
    class AwayJobStore(InMemoryJobStore):
        n_failures = 0

        def get(self, job_id: str) -> Job:
            if self.n_failures < 2:
                self.n_failures += 1
                raise Unavailable("away")
            return super().get(job_id)

    jobs = AwayJobStore()
    jobs.add(make_job(FIRST))
    with live_api(tmp_path, jobs=jobs) as api:
        response = api.client.get(f"/v1/jobs/{FIRST}?wait=5", headers={"If-None-Match": '"0"'})
        jobs.n_failures = -1000
        refused = api.client.get(f"/v1/jobs/{FIRST}?wait=0.0001")

    assert (response.status_code, response.json()["state"]) == (200, "queued")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
