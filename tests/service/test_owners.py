"""Jobs belong to the name of the key that they were sent with; for all others there are none."""

import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.owner_index import InMemoryOwnerIndex
from disyre.adapters.worker_registry import InMemoryWorkerRegistry
from disyre.job import LOCAL_OWNER, Job
from disyre.job_id import new_job_id
from service.caller import LOCAL, NOBODY, Caller, Scope
from service.keys import make_entry
from service.own_jobs import OwnJobs
from tests.builders import JOB_ID, NOON, make_job
from tests.live import wait_for
from tests.service.key_files import client_of, write_keys
from tests.service.lifetimes import lifetimes_of
from tests.service.live_api import LiveApi, live_api, make_worker, succeed
from tests.service.series.made_series import study
from tests.zip_files import zipped_images

PACS, WARD = (Caller(name, frozenset({Scope.READ, Scope.SUBMIT})) for name in ("pacs", "ward-3"))
IDS = [f"019b7a00-0000-7000-8000-{n:012d}" for n in range(1, 10)]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return write_keys(tmp_path)


@pytest.fixture
def api(tmp_path: Path, keys: Path) -> Iterator[LiveApi]:
    """An API that asks for keys."""
    with live_api(tmp_path, api_keys_file=keys) as api:
        yield api


def submit(api: LiveApi, name: str, scan: bytes) -> str:
    with client_of(api, name) as client:
        response = client.post("/v1/jobs", content=scan)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def listed(api: LiveApi, name: str) -> list[tuple[str, str]]:
    """Id and owner of each job that somebody sees, page by page."""
    with client_of(api, name) as client:
        response = client.get("/v1/jobs?limit=1")
        jobs: list[Any] = response.json()["jobs"]
        while response.links:
            response = client.get(response.links["next"]["url"])
            jobs += response.json()["jobs"]
    return [(job["id"], job["owner"]) for job in jobs]


def test_lists_hold_ones_own_jobs_and_everybodys_for_who_may_see_them(api: LiveApi, scan: bytes) -> None:
    first, second, third = (submit(api, name, scan) for name in ("pacs", "ward-3", "pacs"))

    assert listed(api, "pacs") == [(third, "pacs"), (first, "pacs")]
    assert listed(api, "ward-3") == [(second, "ward-3")]
    assert listed(api, "reader") == []
    assert listed(api, "boss") == [(third, "pacs"), (second, "ward-3"), (first, "pacs")]


def test_a_deleted_job_is_in_no_list(api: LiveApi, scan: bytes) -> None:
    job_id = submit(api, "pacs", scan)

    with client_of(api, "pacs") as client:
        assert client.delete(f"/v1/jobs/{job_id}").status_code == 204

    assert listed(api, "pacs") == listed(api, "boss") == []
    assert api.left_behind() == []


def answer_to(client: httpx.Client, method: str, path: str, job_id: str) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers, without what differs from request to request."""
    response = client.request(method, path.format(job_id=job_id, name="anomaly.nii.gz"))
    headers = {k: v for k, v in response.headers.items() if k not in ("x-request-id", "date")}
    return response.status_code, response.text.replace(job_id, "ID"), headers


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_a_job_of_others_answers_as_one_that_there_is_not(api: LiveApi, scan: bytes, state: str) -> None:
    job_id = submit(api, "pacs", scan)
    if state != "queued":
        job = api.jobs.update(job_id, lambda job: job.start(at=NOON))
        if state == "succeeded":
            succeed(api, job, {"anomaly.nii.gz": b"map"})
    before = api.jobs.get(job_id), api.left_behind()
    paths = api.client.get("/openapi.json").json()["paths"]
    calls = [
        (method.upper(), path) for path, found in paths.items() if "{job_id}" in path for method in found
    ]
    assert len(calls) >= 5

    with client_of(api, "ward-3") as client:
        for method, path in calls:
            query = "?wait=1" if path.endswith("{job_id}") and method == "GET" else ""
            foreign = answer_to(client, method, path + query, job_id)
            assert foreign == answer_to(client, method, path + query, JOB_ID)
            assert foreign[0] == 404

    assert (api.jobs.get(job_id), api.left_behind()) == before


def test_nobody_finds_a_job_by_guessing(api: LiveApi, scan: bytes) -> None:
    job_id = submit(api, "pacs", scan)
    start, last = job_id[:-12], int(job_id[-12:], 16)
    near = [f"{start}{(last + n) % 2**48:012x}" for n in (-1, 0, 1)]
    far = [new_job_id(NOON + timedelta(microseconds=secrets.randbits(40))) for _ in range(50)]

    with client_of(api, "ward-3") as client:
        found = {client.get(f"/v1/jobs/{each}").json()["detail"] for each in [*near, *far]}

    assert found == {"expected the id of a job, got one that no job has"}


def test_a_new_key_of_the_same_name_finds_the_jobs_of_the_old_one(
    api: LiveApi, keys: Path, scan: bytes
) -> None:
    job_id = submit(api, "pacs", scan)

    keys.write_text(make_entry("pacs", ["read", "submit"], key="successor").as_toml())

    with client_of(api, "successor") as new, client_of(api, "pacs") as old:
        wait_for(lambda: new.get(f"/v1/jobs/{job_id}").status_code == 200, "the new key is known")
        assert [job["id"] for job in new.get("/v1/jobs").json()["jobs"]] == [job_id]
        assert old.get(f"/v1/jobs/{job_id}").status_code == 401


def test_all_jobs_of_a_study_have_its_sender_as_owner(api: LiveApi) -> None:
    with client_of(api, "pacs") as client:
        response = client.post("/v1/studies", content=zipped_images(study()))

    assert response.status_code == 202, response.text
    assert {job["owner"] for job in response.json()["jobs"]} == {"pacs"}
    assert len(listed(api, "pacs")) == len(response.json()["jobs"])
    assert listed(api, "ward-3") == []


def test_the_queue_tells_how_long_it_is_and_not_whose_job_is_running(tmp_path: Path, keys: Path) -> None:
    workers = InMemoryWorkerRegistry(make_worker(busy_with=JOB_ID))
    with live_api(tmp_path, workers=workers, api_keys_file=keys) as api:
        api.jobs.add(make_job(JOB_ID).model_copy(update={"owner": "pacs"}))
        seen = {}
        for name in ("pacs", "ward-3", "boss"):
            with client_of(api, name) as client:
                queue = client.get("/v1/queue").json()
            seen[name] = (queue["depth"], queue["workers"][0]["busy_with"])

    assert seen == {"pacs": (1, JOB_ID), "ward-3": (1, None), "boss": (1, JOB_ID)}


def test_where_no_key_is_asked_for_everybody_sees_everything(shared_api: LiveApi, scan: bytes) -> None:
    job = shared_api.client.post("/v1/jobs", content=scan).json()

    assert job["owner"] == LOCAL_OWNER
    shared_api.jobs.add(make_job(IDS[0]).model_copy(update={"owner": "pacs"}))
    assert shared_api.client.get(f"/v1/jobs/{IDS[0]}").json()["owner"] == "pacs"


def stored(jobs: InMemoryJobStore, owners: InMemoryOwnerIndex, owner: str, *job_ids: str) -> None:
    owners.note(owner, *job_ids)
    jobs.add(*(make_job(job_id).model_copy(update={"owner": owner}) for job_id in job_ids))


def test_an_id_without_a_job_leaves_no_gap_in_a_list() -> None:
    jobs, owners = InMemoryJobStore(), InMemoryOwnerIndex()
    stored(jobs, owners, "pacs", *IDS[:3])
    owners.note("pacs", *IDS[3:])

    own = OwnJobs(jobs, owners, PACS, lifetimes_of(jobs))

    assert [job.id for job in own.list(limit=2)] == IDS[2:0:-1]
    assert [job.id for job in own.list(limit=2, before=IDS[1])] == IDS[:1]


def test_what_is_not_ones_own_can_neither_be_changed_nor_removed() -> None:
    jobs, owners = InMemoryJobStore(), InMemoryOwnerIndex()
    stored(jobs, owners, "pacs", IDS[0])
    before = jobs.get(IDS[0])

    for caller in (WARD, NOBODY):
        OwnJobs(jobs, owners, caller, lifetimes_of(jobs)).remove(IDS[0])
        assert not OwnJobs(jobs, owners, caller, lifetimes_of(jobs)).has(IDS[0])
    assert jobs.get(IDS[0]) == before

    OwnJobs(jobs, owners, LOCAL, lifetimes_of(jobs)).remove(IDS[0])
    assert owners.list("pacs", limit=1) == []


def test_a_job_from_before_there_were_owners_is_a_local_one() -> None:
    document = make_job().model_dump(mode="json")
    del document["owner"]

    assert Job.model_validate(document).owner == LOCAL_OWNER
