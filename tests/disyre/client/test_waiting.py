"""The client waits for a job, and tells of its news."""

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from disyre.client import (
    Client,
    ClientError,
    JobDocument,
    NotFound,
)
from disyre.client.bar import job_bar
from disyre.progress import Progress
from tests.disyre.client.begun import MAP, start
from tests.live import wait_for
from tests.service.live_api import LiveApi, succeed


def test_all_news_of_a_job_are_told_until_it_is_finished(api: LiveApi, client: Client, scan: Path) -> None:
    job = client.submit(scan, model="t1w")
    told: list[JobDocument] = []
    waiting = threading.Thread(target=lambda: client.wait(job, told.append))
    waiting.start()

    wait_for(lambda: told, "the queued job is told of")
    running = start(api, job)
    wait_for(lambda: told[-1].state == "running", "the running job is told of")
    step = Progress(stage="restoring", step=1, steps=4, fraction=0.25)
    api.jobs.update(job.id, lambda job: job.report(step, attempt=1))
    wait_for(lambda: told[-1].progress, "the step is told of")
    succeed(api, running, {"anomaly.nii.gz": MAP})
    waiting.join(30)

    assert [each.state for each in told] == ["queued", "running", "running", "succeeded"]
    assert told[2].progress is not None
    assert (told[2].progress.stage, told[2].progress.fraction) == ("restoring", 0.25)
    assert told[-1].has_succeeded
    assert told[-1].summary is not None
    assert told[-1].summary.anomaly_score == 0.25


def test_the_place_in_the_queue_is_told_of_though_it_is_no_news_of_the_job(
    api: LiveApi, client: Client, scan: Path
) -> None:
    first, second = client.submit(scan, model="t1w"), client.submit(scan, model="t1w")
    places: list[int | None] = []

    def note(job: JobDocument) -> None:
        places.append(job.queue_position)
        if len(places) == 1:
            client.cancel(first)
        elif len(places) == 2:
            client.cancel(second)

    assert client.wait(second, note).state == "canceled"
    assert places == [2, 1, None]


def test_without_a_listener_only_the_end_is_waited_for(api: LiveApi, client: Client, scan: Path) -> None:
    job = client.submit(scan, model="t1w")
    succeed(api, start(api, job), {"anomaly.nii.gz": MAP})

    assert client.wait(job.id).has_succeeded


def test_who_waits_with_a_limit_is_told_when_that_is_over(client: Client, scan: Path) -> None:
    job = client.submit(scan, model="t1w")

    with pytest.raises(TimeoutError, match=r"the job is queued after 0\.2 s") as told:
        client.wait(job, timeout_s=0.2)

    assert isinstance(told.value, ClientError)


def test_a_running_job_that_has_no_news_goes_on_being_waited_for(
    api: LiveApi, client: Client, scan: Path
) -> None:
    job = client.submit(scan, model="t1w")
    start(api, job)
    told: list[JobDocument] = []

    with pytest.raises(TimeoutError):
        client.wait(job, told.append, timeout_s=0.3)

    assert {each.revision for each in told} == {2}


def test_events_of_a_job_are_told_up_to_its_end(api: LiveApi, client: Client, scan: Path) -> None:
    job = client.submit(scan, model="t1w")
    events = client.events(job)

    first = next(events)
    succeed(api, start(api, job), {"anomaly.nii.gz": MAP})

    assert (first.job_id, first.state, first.is_finished) == (job.id, "queued", False)
    assert [each.state for each in events] == ["running", "succeeded"]
    assert [each.state for each in client.events(job.id)] == ["succeeded"]
    with pytest.raises(NotFound):
        next(client.events("none"))


def test_who_waits_may_have_a_bar_which_is_seen_on_a_terminal_only(
    api: LiveApi, client: Client, scan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = client.submit(scan, model="t1w")
    succeed(api, start(api, job), {"anomaly.nii.gz": MAP})
    told: list[JobDocument] = []

    assert client.wait(job, told.append, progress=True).has_succeeded
    assert client.wait(job.id, progress="my scan").has_succeeded
    assert capsys.readouterr().err == ""
    shown = io.StringIO()
    with job_bar("my scan", Console(file=shown, force_terminal=True, width=100)) as bar:
        client.wait(job, bar.show)

    assert [each.state for each in told] == ["succeeded"]
    assert "my scan: succeeded" in shown.getvalue()
