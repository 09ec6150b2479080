"""By which clock a job's time is over, and when nobody knows."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from disyre.adapters.clock_marks import ClockMark, InMemoryClockMarks
from disyre.errors import Unavailable
from service.lifetimes import Lifetimes
from service.steady_clock import SteadyClock, this_boot
from tests.builders import NOON, make_job
from tests.service.live_api import LiveApi
from tests.service.retention.clocks import DAY_S, Clocks, finished, retention_of, run_down


def test_by_a_clock_that_was_seen_to_jump_no_job_is_over_for_an_hour() -> None:
    clocks = Clocks()
    steady = SteadyClock(clocks.marks, "boot-1", clock_s=lambda: clocks.own_s)
    lifetimes = Lifetimes(lambda: NOON + timedelta(seconds=clocks.broker_s), steady)
    job = make_job().model_copy(update={"expires_at": NOON + timedelta(days=2)})

    def seen() -> bool:
        steady.believed_since(lifetimes.now())
        return lifetimes.is_over(job)

    assert (lifetimes.is_over(make_job()), seen()) == (False, False)
    clocks.broker_s += 365 * DAY_S
    found = [lifetimes.is_over(job)]  # nobody has looked yet, and nothing is lost by that
    for _ in range(61):
        found.append(seen())
        clocks.pass_by(60)
    again = SteadyClock(clocks.marks, "boot-1", clock_s=lambda: clocks.own_s - 600)
    again.believed_since(NOON + timedelta(seconds=clocks.broker_s - 600))

    assert found == [True, *[False] * 60, True]
    assert again.has_jumped_lately()


def test_a_clock_that_jumps_expires_nothing(
    api: LiveApi, pacs: httpx.Client, scan: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    clocks = Clocks()
    retention = retention_of(api, clocks)
    job_id = finished(api, pacs, scan)
    run_down(retention, clocks, 1)

    clocks.broker_s += 365 * DAY_S
    for _ in range(50):
        clocks.pass_by(60)
        retention.expire_due()
    clocks.broker_s -= 365 * DAY_S
    run_down(retention, clocks, 0.5)

    assert api.jobs.get(job_id).expires_at == NOON + timedelta(days=2)
    assert caplog.messages[0] == "the broker's clock jumped by 31536000 s: no job expires in the next hour"


def test_the_first_process_on_a_machine_expires_nothing(
    api: LiveApi, pacs: httpx.Client, scan: bytes
) -> None:
    clocks = Clocks()
    retention_of(api, clocks)
    job_id = finished(api, pacs, scan)
    clocks.pass_by(9 * DAY_S)

    retention_of(api, clocks).expire_due()

    assert api.jobs.get(job_id)


@pytest.mark.parametrize(
    ("jump_s", "boot", "n_expired"),
    [(0, "boot-1", 1), (30, "boot-1", 1), (90, "boot-1", 0), (-90, "boot-1", 0), (0, "boot-2", 0)],
)
def test_a_process_that_is_started_again_expires_at_once_unless_a_clock_jumped_or_the_machine_was_started(
    api: LiveApi, pacs: httpx.Client, scan: bytes, jump_s: float, boot: str, n_expired: int
) -> None:
    """None of the processes lives for an hour."""
    clocks = Clocks()
    retention_of(api, clocks)
    job_id = finished(api, pacs, scan)
    clocks.pass_by(3 * DAY_S)
    for _ in range(3):
        retention_of(api, clocks).expire_due()
        clocks.pass_by(1200)
    assert api.jobs.get(job_id)

    clocks.broker_s += jump_s
    retention_of(api, clocks, boot).expire_due()

    assert clocks.expired == [job_id][:n_expired]


def test_where_nobody_tells_when_the_machine_was_started_each_process_waits_for_an_hour(
    api: LiveApi, pacs: httpx.Client, scan: bytes, tmp_path: Path
) -> None:
    clocks = Clocks()
    retention_of(api, clocks)
    job_id = finished(api, pacs, scan)
    clocks.pass_by(3 * DAY_S)
    boot = this_boot(tmp_path / "no such file")

    for _ in range(9):
        retention_of(api, clocks, boot).expire_due()
        clocks.pass_by(1200)
    assert api.jobs.get(job_id)
    retention = retention_of(api, clocks, boot)
    run_down(retention, clocks, 0.1)

    assert clocks.expired == [job_id]


class FullClockMarks(InMemoryClockMarks):
    """Of a broker that has no room."""

    def set(self, boot: str, mark: ClockMark) -> None:
        raise Unavailable("no room")


def test_a_broker_that_is_too_full_for_a_mark_is_relieved_of_jobs(
    api: LiveApi, pacs: httpx.Client, scan: bytes
) -> None:
    clocks = Clocks(marks=FullClockMarks())
    retention = retention_of(api, clocks)
    job_id = finished(api, pacs, scan)

    run_down(retention, clocks, 3)

    assert clocks.expired == [job_id]


def test_a_machine_is_known_for_as_long_as_it_runs() -> None:
    assert this_boot() == this_boot()
