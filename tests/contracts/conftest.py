"""A broker that the tests of this folder share."""

from collections.abc import Iterator

import pytest
import redis

from disyre.adapters.broker import connect
from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.job_store import JobStore
from disyre.adapters.redis_job_store import RedisJobStore
from tests.live import LiveBroker, live_broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBroker]:
    with live_broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture
def client(broker: LiveBroker) -> Iterator[redis.Redis]:
    with connect(broker.url, timeout_s=2) as client:
        client.flushall()
        yield client


@pytest.fixture(params=["redis", "memory"])
def jobs(request: pytest.FixtureRequest) -> JobStore:
    """Each of the job stores, empty."""
    return (
        InMemoryJobStore() if request.param == "memory" else RedisJobStore(request.getfixturevalue("client"))
    )
