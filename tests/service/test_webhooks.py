"""Who asked for it is called when a job has ended; and nobody else ever is."""

import base64
import hashlib
import hmac
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.errors import Misconfigured
from disyre.job import Job
from service import egress
from service.postman import Postman
from service.webhooks import read_secrets
from tests.builders import JOB_ID, NOON, make_job
from tests.live import wait_for
from tests.service.callbacks import LOOPBACK, SECRET, WHSEC, Clock, Receiver, ended
from tests.service.live_api import live_api
from tests.service.refused import check_refused


def test_the_end_of_a_job_is_told_once_signed_and_without_anything_of_the_patient(receiver: Receiver) -> None:
    postman = Postman(ended(receiver.url, Clock()), LOOPBACK, [SECRET, SECRET[::-1]])

    postman.deliver()
    postman.deliver()

    ((headers, body),) = receiver.calls
    message = json.loads(body)
    assert message["type"] == "job.failed"
    assert message["data"] == {
        "id": JOB_ID,
        "state": "failed",
        "links": {"self": f"/v1/jobs/{JOB_ID}", "results": None},
    }
    assert b"ZZCANARY" not in body
    assert int(headers["webhook-timestamp"]) == NOON.timestamp()
    # As the standard says it, put together anew.
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = [hmac.new(key, signed, hashlib.sha256).digest() for key in (SECRET, SECRET[::-1])]
    versions, given = zip(*(each.split(",") for each in headers["webhook-signature"].split(" ")), strict=True)
    assert versions == ("v1", "v1")
    assert [base64.b64decode(each) for each in given] == expected


@pytest.mark.parametrize("status", [500, 302])
def test_who_has_not_heard_is_called_again_later_with_the_same_id(receiver: Receiver, status: int) -> None:
    clock = Clock()
    jobs = ended(receiver.url, clock)
    receiver.answers = [status, status]

    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    Postman(jobs, LOOPBACK, [SECRET]).deliver()  # of another process; it is not due yet
    assert receiver.n_connections == 1
    clock.go_on(6)
    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    clock.go_on(6)
    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    assert receiver.n_connections == 2
    clock.go_on(30)
    for _ in range(2):
        Postman(jobs, LOOPBACK, [SECRET]).deliver()
        clock.go_on(99999)

    assert receiver.n_connections == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.calls}) == 3


def test_each_end_of_a_job_that_was_retried_is_told_with_an_id_of_its_own(receiver: Receiver) -> None:
    clock = Clock()
    jobs = InMemoryJobStore(clock=clock)
    jobs.add(make_job(callback=receiver.url))
    receiver.answers = [500, 200, 500, 200]

    for _ in range(2):  # it is canceled while it waits: no attempt is begun
        jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))
        for _ in range(2):
            Postman(jobs, LOOPBACK, [SECRET]).deliver()
            clock.go_on(6)
        jobs.update(JOB_ID, lambda job: job.retry(at=NOON))

    first, first_again, second, second_again = (headers["webhook-id"] for headers, _ in receiver.calls)
    assert first == first_again != second == second_again


def test_who_is_gone_is_not_called_again(receiver: Receiver) -> None:
    clock = Clock()
    jobs = ended(receiver.url, clock)
    receiver.answers = [410]

    for _ in range(2):
        Postman(jobs, LOOPBACK, [SECRET]).deliver()
        clock.go_on(99999)

    assert receiver.n_connections == 1


def test_who_never_answers_is_given_up_and_the_job_stays_as_it_is(receiver: Receiver) -> None:
    clock = Clock()
    jobs = ended(receiver.url, clock)
    before = jobs.get(JOB_ID)
    receiver.answers = [500] * 99

    for _ in range(9):
        Postman(jobs, LOOPBACK, [SECRET], retry_after_s=(1, 1)).deliver()
        clock.go_on(2)

    assert receiver.n_connections == 3
    assert jobs.get(JOB_ID) == before


def test_who_is_slow_has_not_heard(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "TIMEOUT_S", 0.2)
    receiver.delay_s = 0.6
    clock = Clock()
    jobs = ended(receiver.url, clock)

    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    receiver.delay_s = 0
    monkeypatch.setattr(egress, "TIMEOUT_S", 5.0)
    clock.go_on(6)
    Postman(jobs, LOOPBACK, [SECRET]).deliver()

    assert len(receiver.calls) == 2


def test_a_call_of_a_process_that_died_is_made_by_another(receiver: Receiver) -> None:
    clock = Clock()
    jobs = ended(receiver.url, clock)
    due = jobs.take_call(lease_s=30)
    assert due is not None
    assert due.job_id == JOB_ID

    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    assert receiver.n_connections == 0
    clock.go_on(31)
    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    assert receiver.n_connections == 1


def test_nobody_is_called_about_a_job_that_was_deleted(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = ended(receiver.url, Clock())
    jobs._docs.clear()

    with caplog.at_level("INFO"):
        Postman(jobs, LOOPBACK, [SECRET]).deliver()

    assert receiver.n_connections == 0
    assert caplog.messages == [
        f"job {JOB_ID}: its callback is given up, as the job was deleted or has expired"
    ]


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "webhook-secret"
    path.write_text(f"{WHSEC}\n")
    return path


def test_an_api_calls_at_the_end_of_a_job_and_its_next_process_too(
    tmp_path: Path, scan: bytes, secret_file: Path, receiver: Receiver
) -> None:
    settings: dict[str, Any] = {"webhook_hosts": "127.0.0.1", "webhook_secret_file": secret_file}
    jobs = InMemoryJobStore()
    with live_api(tmp_path, jobs=jobs, **settings) as api:
        job = api.client.post("/v1/jobs", content=scan, params={"callback": receiver.url}).json()
        assert job["params"]["callback"] == receiver.url
        elsewhere = api.client.post("/v1/jobs", content=scan, params={"callback": "https://10.0.0.1/"})
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (422, "invalid-params")
        api.client.post(f"/v1/jobs/{job['id']}/cancel")
    assert receiver.n_connections == 0
    with live_api(tmp_path, jobs=jobs, reap_interval_s=0.05, **settings):
        wait_for(lambda: receiver.calls, "the receiver is called", within_s=10)
    assert json.loads(receiver.calls[0][1])["data"]["state"] == "canceled"


def test_who_does_not_answer_is_not_in_the_way_of_who_does(
    receiver: Receiver, secret_file: Path, tmp_path: Path
) -> None:
    clock = Clock()
    silent_ids, told_id = [f"{JOB_ID[:-1]}{n}" for n in range(1, 8)], f"{JOB_ID[:-1]}9"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        jobs = InMemoryJobStore(clock=clock)
        for job_id in (*silent_ids, told_id):
            url = receiver.url if job_id == told_id else f"http://127.0.0.1:{silent.getsockname()[1]}"
            jobs.add(make_job(job_id, callback=url))
            jobs.update(job_id, lambda job: job.request_cancel(at=NOON))
        settings: dict[str, Any] = {"webhook_hosts": "127.0.0.1", "webhook_secret_file": secret_file}
        with live_api(tmp_path, jobs=jobs, reap_interval_s=0.05, **settings):
            wait_for(lambda: receiver.calls, "the one that answers is called", within_s=30)

            waiting = [silent.accept()[0] for _ in silent_ids]
            for connection in waiting:
                connection.settimeout(0.1)
                with pytest.raises(TimeoutError):  # the call goes on, though nobody answers
                    while connection.recv(4096):
                        pass
                connection.close()


def test_a_callback_may_be_an_object_with_its_url(
    tmp_path: Path, scan: bytes, receiver: Receiver, secret_file: Path
) -> None:
    with live_api(tmp_path, webhook_hosts="127.0.0.1", webhook_secret_file=secret_file) as api:

        def post(callback: object) -> httpx.Response:
            form = {"params": json.dumps({"callback": callback})}
            key = {"Idempotency-Key": "a"}
            return api.client.post("/v1/jobs", files={"file": scan}, data=form, headers=key)

        made, again = post({"url": receiver.url}), post(receiver.url)

        assert made.json()["params"]["callback"] == receiver.url
        assert again.json()["id"] == made.json()["id"]
        for wrong in ({"url": 5}, {"url": receiver.url, "secret": "a"}, {}, [receiver.url], 5):
            answer = post(wrong)
            assert answer.json()["code"] == "invalid-params"
            assert answer.json()["detail"] == (
                "callback: expected a URL, or an object with a URL as its `url`, got something else"
            )
        for long in ("https://a.example/" + "x" * 2990, {"url": "https://a.example/" + "x" * 2990}):
            assert post(long).json()["detail"] == (
                "callback: expected at most 2000 characters, got text of 3008 characters"
            )


def test_without_listed_hosts_a_callback_is_refused(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path) as api:
        response = api.client.post("/v1/jobs", content=scan, params={"callback": "https://a.example/"})

        check_refused(api, response, 422, "invalid-params")
        assert "the operator has listed no host" in response.json()["detail"]


@pytest.mark.parametrize(
    "content", ["", "0123", "whsec_", "whsec_ä", "whsec_AAAA", "whsec_!", WHSEC.removeprefix("whsec_")]
)
def test_a_secret_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret").write_text(content)

    with pytest.raises(Misconfigured, match=r"SECRET_FILE|secrets of webhooks"):
        read_secrets(tmp_path / "secret")


@pytest.mark.parametrize("hosts", ["http://a.example", "127.1", "a.example/hook", "a_b"])
def test_what_is_no_host_is_refused_at_the_start(tmp_path: Path, hosts: str, secret_file: Path) -> None:
    with (
        pytest.raises(Misconfigured, match="WEBHOOK_HOSTS"),
        live_api(tmp_path, webhook_hosts=hosts, webhook_secret_file=secret_file),
    ):
        pass


def test_hosts_without_a_secret_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="together"), live_api(tmp_path, webhook_hosts="a.example"):
        pass


def test_a_job_without_a_callback_calls_nobody() -> None:
    jobs = InMemoryJobStore()
    jobs.add(make_job())
    jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))

    assert isinstance(jobs.get(JOB_ID), Job)
    assert jobs.take_call(lease_s=1) is None
