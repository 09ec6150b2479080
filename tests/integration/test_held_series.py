"""Series that came by STOW-RS are jobs once, whichever of several APIs took them, and if one is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.app import create_app, production_app
from service.backends import Backends
from service.held_series import HeldSeries, SeriesRecord, SeriesState
from service.settings import ServiceSettings
from tests.live import ROOT, LiveBroker, free_port, wait_for
from tests.service.dicomweb.storing import files, series_of, store
from tests.service.live_api import served

QUIET_S = 0.5


def settings_of(broker: LiveBroker, folder: Path, models: Path, **more: Any) -> ServiceSettings:
    return ServiceSettings.model_validate(
        {
            "broker_url": broker.url,
            "data_dir": folder,
            "models_dir": models,
            "min_free_bytes": 0,
            "reap_interval_s": 0.05,
            "stow_quiet_s": QUIET_S,
            **more,
        }
    )


def jobs_of(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/jobs").json()["jobs"]
    return found


def test_of_two_apis_on_one_folder_each_series_is_a_job_once(
    own_broker: LiveBroker, models: Path, tmp_path: Path
) -> None:
    settings = settings_of(own_broker, tmp_path / "data", models)
    with ExitStack() as stack:
        clients = [
            stack.enter_context(
                httpx.Client(base_url=stack.enter_context(served(production_app(settings))), timeout=30)
            )
            for _ in range(2)
        ]
        for number in range(5):
            images = files(SeriesInstanceUID=f"1.2.3.{number}")
            for place, client in enumerate(clients):
                assert store(client, images[place::2]).status_code == httpx.codes.OK
        wait_for(lambda: all(each["job_id"] for each in series_of(clients[0])), "all are jobs")
        time.sleep(4 * QUIET_S)  # whoever would do it again has done so by then

        jobs = jobs_of(clients[1])
        assert len(jobs) == 5
        assert {job["input"]["n_files"] for job in jobs} == {6}


class Killed(BaseException):
    """As if the process had ended."""


class Dying(HeldSeries):
    """Of a process that is killed as it notes that a series is a job."""

    def save(self, key: str, record: SeriesRecord) -> None:
        """Note something else than that."""
        if record.state is SeriesState.SUBMITTED:
            raise Killed
        super().save(key, record)


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_job_that_was_made_by_a_process_that_was_killed_is_found_again(
    own_broker: LiveBroker, models: Path, tmp_path: Path, is_deleted: bool
) -> None:
    settings = settings_of(own_broker, tmp_path / "data", models, reap_interval_s=3600)
    backends = Backends.of(settings)
    held = Dying(tmp_path / "data" / "stow", max_bytes=2**30, max_instances=100)
    dying = replace(backends, held=held)
    with (
        served(create_app(backends, settings)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        store(client, files())
        time.sleep(QUIET_S)
        with pytest.raises(Killed):
            look(dying, settings)
        (made,) = jobs_of(client)
        if is_deleted:
            client.delete(made["links"]["self"]).raise_for_status()
        look(backends, settings)

        if is_deleted:
            assert (jobs_of(client), series_of(client)) == ([], [])
            return
        assert [job["id"] for job in jobs_of(client)] == [made["id"]]
        assert [(each["state"], each["job_id"]) for each in series_of(client)] == [("submitted", made["id"])]


def look(backends: Backends, settings: ServiceSettings) -> None:
    create_app(backends, settings).state.parts.series_jobs.look()


@contextmanager
def process(settings: dict[str, str], log: Path) -> Iterator[httpx.Client]:
    """An API that is killed in the end."""
    port = free_port()
    with log.open("ab") as lines:
        running = subprocess.Popen(
            [sys.executable, "-m", "service"],
            env={**os.environ, **settings, "DISYRE_LISTEN_PORT": str(port)},
            cwd=ROOT,
            stdout=lines,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_for(lambda: _is_up(client), "the API answers", within_s=60)
            yield client
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").is_success
    except httpx.TransportError:
        return False


@pytest.mark.timeout(300)
def test_an_api_that_is_killed_again_and_again_makes_each_series_a_job_once(
    own_broker: LiveBroker, models: Path, tmp_path: Path
) -> None:
    settings = {
        "DISYRE_BROKER_URL": own_broker.url,
        "DISYRE_DATA_DIR": str(tmp_path / "data"),
        "DISYRE_MODELS_DIR": str(models),
        "DISYRE_MIN_FREE_BYTES": "0",
        "DISYRE_REAP_INTERVAL_S": "0.05",
        "DISYRE_STOW_QUIET_S": str(QUIET_S),
    }
    for number in range(5):  # killed before, while and after the series are looked at
        with process(settings, tmp_path / "log") as client:
            for which in range(4):
                images = files(SeriesInstanceUID=f"1.2.3.{number}.{which}")
                assert store(client, images).status_code == httpx.codes.OK
            time.sleep(QUIET_S * (0.5 + 0.25 * number))
    with process(settings, tmp_path / "log") as client:
        wait_for(lambda: all(each["job_id"] for each in series_of(client)), "all are jobs", within_s=90)

        assert len(series_of(client)) == len(jobs_of(client)) == 20
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert "1.2.3." not in text
