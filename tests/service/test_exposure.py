"""Jobs of keys in an API that asks for none."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.errors import Unavailable
from disyre.job import Job
from disyre.job_id import new_job_id
from service.exposure import warn_of_exposed_jobs
from tests.builders import NOON, make_job
from tests.live import wait_for
from tests.service.key_files import write_keys
from tests.service.live_api import live_api


def store_of(*owners: str) -> InMemoryJobStore:
    jobs = InMemoryJobStore()
    for number, owner in enumerate(owners):
        jobs.add(make_job(new_job_id(NOON + timedelta(seconds=number))).model_copy(update={"owner": owner}))
    return jobs


def warnings(log: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in log.records if each.name == "service.exposure"]


def test_an_api_without_keys_warns_at_its_start_of_jobs_of_keys(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with live_api(tmp_path, jobs=store_of("local", "pacs")):
        wait_for(lambda: warnings(caplog), "it warns")

    (warning,) = warnings(caplog)
    assert warning.startswith("no API key is asked for, and there are jobs that were sent with one")
    assert "pacs" not in warning


def test_an_api_that_asks_for_keys_does_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with live_api(tmp_path, jobs=store_of("pacs"), api_keys_file=write_keys(tmp_path)) as api:
        assert api.client.get("/livez").status_code == 200

    assert warnings(caplog) == []


def test_jobs_of_nobody_in_particular_and_a_broker_that_is_away_are_no_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class AwayJobStore(InMemoryJobStore):
        def list(self, *, limit: int, before: str | None = None) -> list[Job]:
            raise Unavailable("the broker does not answer")

    warn_of_exposed_jobs(store_of("local", "local"))
    warn_of_exposed_jobs(AwayJobStore())

    assert warnings(caplog) == []
