"""The audit log: who did what to which job, and nothing of a patient."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.audit import SERVICE, AuditLog, Event
from service.keys import make_entry, sha256_of
from tests.builders import JOB_ID, NOON
from tests.live import wait_for
from tests.service.key_files import client_of, write_keys
from tests.service.live_api import LiveApi, live_api, succeed
from tests.service.series.made_series import study
from tests.zip_files import zipped_images

CANARY = "ZZCANARY"
EVENT = Event(at="2026-11-27T12:00:00.000Z", who="pacs", what="submit_job", job_id=JOB_ID, status=202)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    """An API that asks for keys."""
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path)) as api:
        yield api


def audited(tmp_path: Path, *more: str) -> list[tuple[Any, ...]]:
    """Who did what to which job, with which status."""
    (path,) = (tmp_path / "audit").iterdir()
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["at"]) for event in events)
    return [
        (event["who"], event["what"], event["job_id"], event["status"], *map(event.get, more))
        for event in events
    ]


def test_what_is_done_to_a_job_is_written_down_and_polls_are_not(
    api: LiveApi, tmp_path: Path, scan: bytes
) -> None:
    with client_of(api, "pacs") as client:
        job_id = client.post("/v1/jobs?model=t1w", content=scan).json()["id"]
        job = api.jobs.update(job_id, lambda job: job.start(at=NOON))
        succeed(api, job, {"anomaly.nii.gz": b"map"})
        for path in ("", f"/{job_id}", f"/{job_id}/results", f"/{job_id}/results/anomaly.nii.gz"):
            assert client.get(f"/v1/jobs{path}").status_code == 200
        client.post(f"/v1/jobs/{job_id}/cancel")
        client.delete(f"/v1/jobs/{job_id}")
        client.post("/v1/inspect", content=b"no scan")

    assert audited(tmp_path) == [
        ("pacs", "submit_job", job_id, 202),
        ("pacs", "get_result", job_id, 200),
        ("pacs", "cancel_job", job_id, 409),
        ("pacs", "delete_job", job_id, 204),
        ("pacs", "inspect_upload", None, 415),
    ]


def test_who_is_shown_jobs_of_others_is_written_down(api: LiveApi, tmp_path: Path, scan: bytes) -> None:
    with client_of(api, "pacs") as client:
        job_id = client.post("/v1/jobs?model=t1w", content=scan).json()["id"]
    with client_of(api, "boss") as client:
        client.get("/v1/jobs")
        client.get(f"/v1/jobs/{job_id}")
        client.get("/v1/queue")
    with client_of(api, "ward-3") as client:
        client.get("/v1/jobs")
        client.get(f"/v1/jobs/{job_id}")

    assert audited(tmp_path)[1:] == [("boss", "list_jobs", None, 200), ("boss", "get_job", job_id, 200)]


def test_a_call_that_there_is_not_is_not_written_down_as_another(
    api: LiveApi, tmp_path: Path, scan: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"), client_of(api, "pacs") as client:
        assert client.put("/v1/jobs", content=scan).status_code == 405
        client.post("/v1/jobs", content=scan)

    assert [what for _, what, _, _ in audited(tmp_path)] == ["submit_job"]
    assert any("an address or a method that there is not: 405" in line for line in caplog.messages)


def test_each_job_of_a_study_has_a_line(api: LiveApi, tmp_path: Path) -> None:
    with client_of(api, "pacs") as client:
        jobs = client.post("/v1/studies", content=zipped_images(study())).json()["jobs"]

    assert audited(tmp_path) == [("pacs", "submit_study", job["id"], 202) for job in jobs]


def test_who_is_refused_is_written_down(api: LiveApi, tmp_path: Path, scan: bytes) -> None:
    for name, method in ((None, "GET"), ("stranger", "POST"), ("reader", "POST")):
        with client_of(api, name) as client:
            client.request(method, "/v1/jobs")
    with client_of(api, "ward-3") as client:
        client.delete(f"/v1/jobs/{JOB_ID}")

    assert audited(tmp_path) == [
        (None, "list_jobs", None, 401),
        (None, "submit_job", None, 401),
        ("reader", "submit_job", None, 403),
        ("ward-3", "delete_job", JOB_ID, 404),
    ]


def test_who_is_refused_is_written_down_with_the_job_that_was_asked_for(api: LiveApi, tmp_path: Path) -> None:
    stranger = {"X-API-Key": "stranger"}
    api.client.get(f"/v1/jobs/{JOB_ID}", headers=stranger)
    api.client.post(f"/v1/jobs/{JOB_ID}/cancel", headers={"X-API-Key": "reader"})
    api.client.get(f"/v1/jobs/{CANARY}/results", headers=stranger)
    while api.client.get(f"/v1/jobs/{JOB_ID}", headers=stranger).status_code == 401:
        pass

    found = audited(tmp_path)
    assert found[:3] == [
        (None, "get_job", JOB_ID, 401),
        ("reader", "cancel_job", JOB_ID, 403),
        (None, "list_results", None, 401),
    ]
    assert found[-1] == (None, "get_job", JOB_ID, 429)


def test_nothing_that_a_client_wrote_is_in_it(api: LiveApi, tmp_path: Path, scan: bytes) -> None:
    headers = {"X-Request-ID": f"{CANARY} 1", "User-Agent": CANARY, "Referer": CANARY}
    with client_of(api, "pacs") as client:
        form = {"params": json.dumps({"labels": {CANARY: CANARY}})}
        made = client.post("/v1/jobs", files={"file": (CANARY, scan)}, data=form, headers=headers)
        client.post(f"/v1/jobs/{CANARY}/cancel?name={CANARY}", headers=headers)
        client.post(f"/v1/{CANARY}", headers=headers)
        client.get("/v1/jobs", headers={"X-API-Key": CANARY})

    assert made.status_code == 202, made.text
    (path,) = (tmp_path / "audit").iterdir()
    assert CANARY not in path.read_text() + path.name
    assert len(audited(tmp_path)) == 3


def test_a_line_says_which_key_of_a_name_it_was(tmp_path: Path) -> None:
    path = write_keys(tmp_path)
    path.write_text(path.read_text() + make_entry("pacs", ("submit",), key="a second one").as_toml())
    with live_api(tmp_path, api_keys_file=path) as api:
        for key in ("pacs", "a second one", "stranger"):
            api.client.post(f"/v1/jobs/{JOB_ID}/cancel", headers={"X-API-Key": key})

    assert [(who, *key) for who, _, _, _, *key in audited(tmp_path, "key_id", "key")] == [
        ("pacs", sha256_of("pacs")[:8], None),
        ("pacs", sha256_of("a second one")[:8], None),
        (None, None, None),
    ]


def test_a_line_names_the_request_as_the_answer_does(api: LiveApi, tmp_path: Path, scan: bytes) -> None:
    with client_of(api, "pacs") as client:
        made = client.post("/v1/jobs", content=scan, headers={"X-Request-ID": "pacs-7"})
        refused = client.post("/v1/jobs", content=b"no scan")

    assert [request for *_, request in audited(tmp_path, "request")] == [
        "pacs-7",
        refused.headers["X-Request-ID"],
    ]
    assert made.headers["X-Request-ID"] == "pacs-7"


def test_keys_that_come_and_go_are_written_down_and_so_is_a_file_that_is_wrong(
    api: LiveApi, tmp_path: Path
) -> None:
    keys, log = tmp_path / "api-keys", AuditLog(tmp_path / "audit")
    log.note("start")
    added = keys.read_text() + make_entry("ward-4", ("read",), key="ward-4").as_toml()
    with client_of(api, "boss") as client:
        for n_lines, text in ((2, added), (3, "no TOML")):
            keys.write_text(text)

            def is_noted(n_lines: int = n_lines) -> bool:
                client.get("/v1/jobs")
                return len(audited(tmp_path)) == n_lines

            wait_for(is_noted, "the file was read again")

    assert [(who, what, *key) for who, what, _, _, *key in audited(tmp_path, "key", "key_id")] == [
        (SERVICE, "start", None, None),
        (SERVICE, "add_key", "ward-4", sha256_of("ward-4")[:8]),
        (SERVICE, "keep_keys", None, None),
    ]


def test_a_stranger_who_goes_on_is_told_to_wait_and_fills_no_disk_and_locks_nobody_out(
    api: LiveApi, tmp_path: Path
) -> None:
    with client_of(api, "stranger") as client, client_of(api, "pacs") as pacs:
        answers = [client.get("/v1/jobs") for _ in range(140)]
        assert pacs.get("/v1/jobs").status_code == 200

    statuses = [answer.status_code for answer in answers]
    assert statuses[:120] == [401] * 120
    assert statuses[-1] == 429
    assert answers[-1].headers["Retry-After"] == "1"
    assert answers[-1].json()["code"] == "rate-limited"
    n_let = statuses.count(401)
    assert len(audited(tmp_path)) <= n_let + (n_let - 119)


def test_where_no_key_is_asked_for_it_was_somebody_on_the_machine(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path) as api:
        job_id = api.client.post("/v1/jobs", content=scan).json()["id"]

    assert audited(tmp_path) == [("local", "submit_job", job_id, 202)]


def test_a_failure_of_the_service_is_written_down_too(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path) as api:
        (api.root / "incoming").rmdir()
        assert api.client.post("/v1/jobs", content=scan).status_code == 500

    assert audited(tmp_path) == [("local", "submit_job", None, 500)]


def test_only_its_own_user_can_read_it(tmp_path: Path) -> None:
    AuditLog(tmp_path / "audit").write([EVENT])

    (path,) = (tmp_path / "audit").iterdir()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_written_is_in_the_log_of_the_program(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "audit").write_text("no folder")

    AuditLog(tmp_path / "audit").write([EVENT])

    (record,) = caplog.records
    assert record.message.startswith("the audit log cannot be written: File exists; lost: {")
    assert JOB_ID in record.message
