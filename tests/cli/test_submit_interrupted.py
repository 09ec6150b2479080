"""Ctrl-C at `disyre submit`: no job goes on at the service without a word of it."""

import json
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from cli.batch import Batch
from cli.interruption import Interruption
from cli.outcome import Outcome
from cli.scans import Scan
from cli.submitter import Submitter
from disyre.client import JobDocument
from disyre.job_state import JobState
from tests.disyre.client.scripted_api import HANGS_UP, Answer, job, problem, scripted_api
from tests.live import wait_for
from tests.service.live_api import LiveApi, live_api


@pytest.fixture
def idle_api(tmp_path: Path) -> Iterator[LiveApi]:
    """An API whose jobs are not begun."""
    with live_api(tmp_path / "api") as api:
        yield api


@contextmanager
def submitting(url: object, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The command as a program of its own."""
    command = [sys.executable, "-m", "cli", "submit", *map(str, arguments), "--url", str(url)]
    # Where the tests run in the background, Ctrl-C means nothing to what they start, unless they say so.
    heeding = ["env", "--default-signal=INT", *command]
    with subprocess.Popen(heeding, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        try:
            yield run
        finally:
            run.kill()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_each_job_is_told_when_it_is_accepted_and_at_ctrl_c_which_go_on(
    idle_api: LiveApi, scans: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    url = idle_api.client.base_url
    paths = [scans / f"{name}.nii.gz" for name in ("one", "two")]
    with submitting(url, *paths, "--model", "t1w", "--out", tmp_path / "out") as run:
        assert run.stderr is not None
        accepted = [run.stderr.readline() for _ in paths]
        run.send_signal(number)
        out, err = run.communicate()

    two, one = (stored.id for stored in idle_api.jobs.list(limit=9))
    assert accepted == [f"disyre: {paths[0]}: job {one}\n", f"disyre: {paths[1]}: job {two}\n"]
    assert (run.returncode, out) == (status, "")
    assert err.splitlines() == [
        "disyre: interrupted; 2 jobs go on at the service, unless ended:",
        f"    {paths[0]}  {str(url).rstrip('/')}/v1/jobs/{one}",
        f"    {paths[1]}  {str(url).rstrip('/')}/v1/jobs/{two}",
        "    GET shows how each is, POST to its address with /cancel ends it",
    ]
    assert {stored.state for stored in idle_api.jobs.list(limit=9)} == {JobState.QUEUED}


def test_for_machines_what_was_accepted_is_an_object_all_the_same(scans: Path, tmp_path: Path) -> None:
    with (
        scripted_api(*[job()] * 100_000) as api,
        submitting(api.url, scans / "one.nii.gz", "--out", tmp_path / "out", "--json") as run,
    ):
        wait_for(lambda: len(api.asked) > 1, "the job is waited for")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate()

    told = json.loads(out)
    assert (run.returncode, told["state"], told["results"], told["job"]["id"]) == (130, "queued", None, "a")
    assert f"{api.url}/v1/jobs/a\n" in err


def test_a_scan_that_was_refused_before_is_told_with_its_reason(scans: Path, tmp_path: Path) -> None:
    paths = [scans / f"{name}.nii.gz" for name in ("one", "two")]
    with (
        scripted_api(problem(422, "unreadable-volume"), *[job()] * 100_000) as api,
        submitting(api.url, *paths, "--out", tmp_path / "out") as run,
    ):
        wait_for(lambda: len(api.asked) > 2, "the job of the other is waited for")
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate()

    assert out == f"{paths[0]}  refused  422 unreadable-volume: it is odd\n"


def test_a_scan_that_was_being_sent_is_told_of_and_those_that_were_not(scans: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with submitting(url, scans, "--out", tmp_path / "out") as run:
            silent, _ = listener.accept()
            assert silent.recv(1)
            run.send_signal(signal.SIGINT)
            out, err = run.communicate()
            silent.close()

    assert (run.returncode, out) == (130, "")
    assert err.splitlines() == [
        "disyre: interrupted",
        f"disyre: {scans}/one.nii.gz was being sent: GET {url}/v1/jobs lists it if it was accepted",
        "disyre: 3 scans not sent",
    ]


def test_jobs_are_canceled_at_ctrl_c_if_that_was_asked_for(
    idle_api: LiveApi, scans: Path, tmp_path: Path
) -> None:
    arguments = (scans / "one.nii.gz", "--model", "t1w", "--out", tmp_path / "out", "--cancel-on-interrupt")
    with submitting(idle_api.client.base_url, *arguments) as run:
        assert run.stderr is not None
        run.stderr.readline()
        run.send_signal(signal.SIGINT)
        _, err = run.communicate()

    (stored,) = idle_api.jobs.list(limit=9)
    assert (run.returncode, stored.state) == (130, JobState.CANCELED)
    assert err == "disyre: interrupted; 1 job canceled\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (problem(409, "illegal-transition"), []),
        (problem(500, "internal"), ["disyre: {scan}: 500 internal: it is odd"]),
        (HANGS_UP, ["disyre: {scan}: {url} gave no whole answer (RemoteProtocolError)"]),
    ],
)
def test_a_job_that_could_not_be_canceled_is_told_as_one_that_goes_on(
    scans: Path, capsys: pytest.CaptureFixture[str], answer: Answer, said: list[str]
) -> None:
    """Such as one that has ended meanwhile, whose results are to be had."""
    scan = scans / "one.nii.gz"
    queued = JobDocument(id="a", state="queued")
    with scripted_api(answer) as api, api.client(retry_for_s=0.0) as client:
        batch = Batch(
            Submitter(client, Console(quiet=True), {}),
            deque(),
            [Outcome(Scan(scan, (scan,)), scans, queued)],
        )
        Interruption(batch, api.url, cancels=True).tell()

    assert capsys.readouterr().err.splitlines() == [
        *(line.format(scan=scan, url=api.url) for line in said),
        "disyre: interrupted; 1 job goes on at the service, unless ended:",
        f"    {scan}  {api.url}/v1/jobs/a",
        "    GET shows how each is, POST to its address with /cancel ends it",
    ]
