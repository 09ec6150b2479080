"""Ids of jobs tell when they were submitted."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from disyre.job_id import new_job_id
from tests.builders import NOON


def test_jobs_that_are_submitted_one_after_another_sort_by_their_ids() -> None:
    ids = [new_job_id(NOON + timedelta(microseconds=n)) for n in range(5000)]

    assert ids == sorted(ids)


@pytest.mark.parametrize("ms", [0, 1_700_000_000_999, 2**47])
@pytest.mark.parametrize("us", [0, 999])
def test_a_job_id_is_a_uuid_of_version_7(ms: int, us: int) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms, microseconds=us)

    parsed = uuid.UUID(new_job_id(at))

    assert (parsed.version, parsed.variant, parsed.int >> 80) == (7, uuid.RFC_4122, ms)
