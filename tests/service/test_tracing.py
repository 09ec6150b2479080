"""Ids of a request come back, and stay with the jobs that it makes."""

import logging
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import _logs, metrics, trace
from starlette.datastructures import Headers

from disyre.adapters.log_lines import LineFormatter
from disyre.adapters.worker_registry import InMemoryWorkerRegistry
from service.tracing import read_trace
from tests.disyre.test_trace import SPAN_ID, TRACE_ID, TRACEPARENT
from tests.service.live_api import LiveApi, live_api, make_worker
from tests.service.series.made_series import study
from tests.zip_files import zipped_images

IDS = {"X-Request-ID": "pacs-7", "traceparent": TRACEPARENT}
AS_STORED = {"request_id": "pacs-7", "traceparent": TRACEPARENT}


def test_a_job_keeps_the_ids_of_its_request(api: LiveApi, scan: bytes) -> None:
    response = api.client.post("/v1/jobs", content=scan, headers=IDS)

    assert {name: response.headers[name] for name in IDS} == IDS
    assert response.json()["trace"] == AS_STORED
    (job,) = api.jobs.list(limit=1)
    assert job.trace is not None
    assert job.trace.headers == AS_STORED


def test_all_jobs_of_a_study_keep_the_ids_of_their_request(api: LiveApi) -> None:
    content = zipped_images(study())
    jobs = api.client.post("/v1/studies", content=content, headers=IDS).json()["jobs"]

    assert len(jobs) > 1
    assert [job["trace"] for job in jobs] == [AS_STORED] * len(jobs)


def test_a_request_without_ids_is_given_one_and_no_trace(api: LiveApi, scan: bytes) -> None:
    response = api.client.post("/v1/jobs", content=scan)

    assert "traceparent" not in response.headers
    assert response.json()["trace"] == {"request_id": response.headers["X-Request-ID"], "traceparent": None}


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ([TRACEPARENT], TRACEPARENT),
        ([f"cc-{TRACE_ID}-{SPAN_ID}-01-what-comes-later"], TRACEPARENT),
        ([f"ff-{TRACE_ID}-{SPAN_ID}-01"], None),
        ([f"{TRACEPARENT}-more"], None),
        ([f"cc-{TRACE_ID}-{SPAN_ID}-01more"], None),
        (["ZZCANARY"], None),
        ([TRACEPARENT, TRACEPARENT], None),
    ],
)
def test_only_a_traceparent_of_the_standard_is_taken(given: list[str], taken: str | None) -> None:
    headers = Headers(raw=[(b"traceparent", each.encode()) for each in given])

    assert read_trace(headers).traceparent == taken


@contextmanager
def log_lines() -> Iterator[list[str]]:
    """The lines of the API's log, as its program writes them."""
    lines: list[str] = []
    handler, logger = logging.Handler(), logging.getLogger("service")
    handler.emit = lambda record: lines.append(LineFormatter().format(record))  # type: ignore[method-assign]
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_the_log_has_a_line_of_what_was_done_or_refused_and_none_of_a_poll(api: LiveApi, scan: bytes) -> None:
    with log_lines() as lines:
        job_id = api.client.post("/v1/jobs", content=scan, headers=IDS).json()["id"]
        api.client.get(f"/v1/jobs/{job_id}", headers=IDS)
        api.client.get("/v1/nothing", headers={"X-Request-ID": "pacs-8"})
        with socket.create_connection(api.address) as sock:
            sock.sendall(b"no HTTP\r\n\r\n")
            answer = sock.makefile("rb").read().decode()

    told = [re.sub(r"after \d+\.\d\d s", "after some time", line.partition(": ")[2]) for line in lines]
    given_id = re.search("x-request-id: (.+)\r", answer)
    assert given_id is not None
    assert told == [
        f"[request=pacs-7 trace={TRACE_ID}] submit_job: 202 after some time, job {job_id}",
        "[request=pacs-8] an address or a method that there is not: 404 after some time",
        f"[request={given_id[1]}] refused before there was a request: malformed-request",
    ]


def test_of_the_probes_of_an_outage_the_log_has_its_beginning_and_its_end(tmp_path: Path) -> None:
    workers = InMemoryWorkerRegistry(make_worker())
    with live_api(tmp_path, workers=workers) as api, log_lines() as lines:
        for is_there in (True, False, True, False):
            workers.beat(make_worker()) if is_there else workers.leave("worker-1")
            for n in range(3):
                for path in ("/livez", "/readyz", "/v2/health/ready", "/metrics"):
                    api.client.get(path, headers={"X-Request-ID": f"pacs-{n}"})
        api.client.post("/readyz")

    told = [re.sub(r"^.*: \[request=(\S+)\] (.*) after .*", r"\1 \2", line) for line in lines]
    probes = ("get_readiness", "get_server_readiness")
    assert told[:-1] == [f"pacs-0 {probe}: {status}" for status in (503, 200, 503) for probe in probes]
    assert "an address or a method that there is not: 405" in told[-1]


def test_lines_about_a_request_name_its_ids(api: LiveApi) -> None:
    with log_lines() as lines:
        api.jobs.n_waiting = lambda: 1 // 0  # type: ignore[method-assign]
        response = api.client.post("/v1/jobs", content=b"scan", headers=IDS)

    assert response.status_code == 500
    words = f"[request=pacs-7 trace={TRACE_ID}] request pacs-7 failed: ZeroDivisionError"
    assert lines[0].splitlines()[0].endswith(f"ERROR service.middleware: {words}")


def test_nothing_is_told_to_the_telemetry_of_the_framework(
    tmp_path: Path, scan: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a provider in the process would get queries and texts of exceptions."""
    asked: list[str] = []

    class Provider:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            asked.append(name)
            raise AttributeError(name)

    monkeypatch.setattr(trace, "get_tracer_provider", Provider)
    monkeypatch.setattr(metrics, "get_meter_provider", Provider)
    monkeypatch.setattr(_logs, "get_logger_provider", Provider)
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    with live_api(tmp_path) as api:
        assert api.client.post("/v1/jobs?threshold=0.5", content=scan).status_code == 202

    assert asked == []
