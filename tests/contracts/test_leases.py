"""Leases of jobs, in every job store."""

import pytest

from disyre.adapters.job_store import JobStore
from tests.contracts.stores import IDS, LONG_S
from tests.live import wait_for


def test_one_holder_at_a_time_has_the_lease(jobs: JobStore) -> None:
    assert jobs.claim(IDS[0], "a", lease_s=LONG_S)

    assert not jobs.claim(IDS[0], "b", lease_s=LONG_S)
    assert jobs.claim(IDS[1], "b", lease_s=LONG_S)
    assert jobs.is_leased(IDS[0])
    assert [jobs.holder(IDS[n]) for n in range(3)] == ["a", "b", None]


def test_a_lease_ends_by_itself(jobs: JobStore) -> None:
    jobs.claim(IDS[0], "a", lease_s=0.01)

    wait_for(lambda: not jobs.is_leased(IDS[0]), "the lease is over")

    assert jobs.claim(IDS[0], "b", lease_s=LONG_S)
    assert not jobs.renew(IDS[0], "a", lease_s=LONG_S)


def test_a_lease_that_ended_is_taken_again_by_its_holder_if_nobody_else_has_it(jobs: JobStore) -> None:
    jobs.claim(IDS[0], "a", lease_s=0.01)
    wait_for(lambda: not jobs.is_leased(IDS[0]), "the lease is over")

    assert jobs.renew(IDS[0], "a", lease_s=LONG_S)

    assert not jobs.claim(IDS[0], "b", lease_s=LONG_S)


def test_since_when_nobody_holds_a_job_is_remembered_from_the_first_look_to_the_next_lease(
    jobs: JobStore,
) -> None:
    assert jobs.unheld_for_s(IDS[0]) == pytest.approx(0, abs=0.05)
    wait_for(lambda: (jobs.unheld_for_s(IDS[0]) or 0) > 0.1, "time has gone by")

    for take in (jobs.claim, jobs.renew):
        assert take(IDS[0], "a", lease_s=LONG_S)
        assert jobs.unheld_for_s(IDS[0]) is None
        jobs.release(IDS[0], "a")
        assert jobs.unheld_for_s(IDS[0]) == pytest.approx(0, abs=0.05)


def test_a_renewed_lease_goes_on(jobs: JobStore) -> None:
    jobs.claim(IDS[0], "a", lease_s=0.5)

    assert jobs.renew(IDS[0], "a", lease_s=LONG_S)

    with pytest.raises(AssertionError):
        wait_for(lambda: not jobs.is_leased(IDS[0]), "the lease is over", within_s=0.7)


def test_only_its_holder_renews_and_releases_a_lease(jobs: JobStore) -> None:
    jobs.claim(IDS[0], "a", lease_s=LONG_S)

    jobs.release(IDS[0], "b")

    assert not jobs.renew(IDS[0], "b", lease_s=LONG_S)
    assert jobs.is_leased(IDS[0])
    jobs.release(IDS[0], "a")
    assert not jobs.is_leased(IDS[0])
