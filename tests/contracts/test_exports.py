"""Whatever keeps exports does the same: one process takes what is due, and what became of it stays."""

import pytest
import redis

from disyre.adapters.exports import Exports, RedisExports
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_store import JobStore
from disyre.export import Export, ExportState
from tests.builders import JOB_ID, NOON, make_job
from tests.live import wait_for

LONG_S = 60.0
EXPORT = Export(server="pacs1", requested_at=NOON)


@pytest.fixture
def exports(jobs: JobStore, request: pytest.FixtureRequest) -> Exports:
    if isinstance(jobs, InMemoryJobStore):
        return jobs.exports
    client: redis.Redis = request.getfixturevalue("client")
    return RedisExports(client)


def test_an_export_is_taken_once_and_again_after_its_lease(jobs: JobStore, exports: Exports) -> None:
    jobs.add(make_job())

    assert exports.request(JOB_ID, EXPORT)
    assert not exports.request(JOB_ID, EXPORT)
    assert exports.take(lease_s=LONG_S) == (JOB_ID, "pacs1", 1)
    assert exports.take(lease_s=LONG_S) is None
    exports.keep(JOB_ID, "pacs1", lease_s=0.001)
    assert wait_for(lambda: exports.take(lease_s=LONG_S), "the lease is over") == (JOB_ID, "pacs1", 2)


def test_what_became_of_an_export_stays_and_it_may_begin_anew(jobs: JobStore, exports: Exports) -> None:
    jobs.add(make_job())
    exports.request(JOB_ID, EXPORT)
    exports.take(lease_s=LONG_S)

    away = EXPORT.tried((), "away")
    exports.note(JOB_ID, away, again_after_s=0.001)
    assert wait_for(lambda: exports.take(lease_s=LONG_S), "it is due again") == (JOB_ID, "pacs1", 2)
    stored = away.tried(()).ended(ExportState.STORED, NOON)
    exports.note(JOB_ID, stored)
    assert exports.list(JOB_ID) == [stored]
    assert exports.request(JOB_ID, EXPORT)
    assert exports.take(lease_s=LONG_S) == (JOB_ID, "pacs1", 1)
    exports.drop(JOB_ID, "pacs1")
    assert exports.request(JOB_ID, EXPORT)


def test_a_job_that_succeeds_has_its_results_sent_if_it_asks_for_it(jobs: JobStore, exports: Exports) -> None:
    jobs.add(make_job(export="pacs1"))
    jobs.update(JOB_ID, lambda job: job.start(at=NOON))
    assert exports.take(lease_s=LONG_S) is None

    jobs.update(JOB_ID, lambda job: job.succeed(attempt=1, artifacts=(), summary={}, provider="cpu", at=NOON))

    assert exports.take(lease_s=LONG_S) == (JOB_ID, "pacs1", 1)
    assert exports.list(JOB_ID) == []


def test_nothing_stays_of_the_exports_of_a_job_that_is_gone(client: redis.Redis) -> None:
    from disyre.adapters.redis_job_store import RedisJobStore

    jobs, exports = RedisJobStore(client), RedisExports(client)
    jobs.add(make_job())
    exports.request(JOB_ID, EXPORT)
    jobs.remove(JOB_ID)

    exports.note(JOB_ID, EXPORT, again_after_s=LONG_S)

    assert exports.list(JOB_ID) == []
    assert not exports.request(JOB_ID, EXPORT)
    assert exports.take(lease_s=LONG_S) is None
