"""Jobs that are added while the broker is stopped, or its answers get lost."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from disyre.adapters.broker import connect
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.errors import Unavailable, Undecided
from disyre.queue_limits import QueueLimits
from tests.builders import NOON, make_job
from tests.live import LiveBroker, live_broker, wait_for
from tests.lossy_proxy import Loss, LossyProxy, lossy_proxy

TIMEOUT_S = 1.0
FIRST, SECOND = (f"019b7a00-0000-7000-8000-00000000000{n}" for n in (1, 2))


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[LiveBroker]:
    """One that a test may stop."""
    with live_broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def proxy(own_broker: LiveBroker) -> Iterator[LossyProxy]:
    with lossy_proxy(own_broker.embedded.socket) as proxy:
        yield proxy


@pytest.fixture
def lossy(proxy: LossyProxy, jobs: RedisJobStore) -> Iterator[RedisJobStore]:
    """A store behind the proxy. The broker has one job, and knows the scripts by now."""
    jobs.add(make_job(FIRST))
    with connect(proxy.url, timeout_s=TIMEOUT_S) as client:
        yield RedisJobStore(client, add_within_s=TIMEOUT_S)


@pytest.fixture
def jobs(own_broker: LiveBroker) -> Iterator[RedisJobStore]:
    """What others see."""
    with connect(own_broker.url, timeout_s=10) as client:
        yield RedisJobStore(client)


def test_a_job_that_reaches_a_stopped_broker_is_refused_when_it_goes_on(
    own_broker: LiveBroker, proxy: LossyProxy, lossy: RedisJobStore, jobs: RedisJobStore
) -> None:
    proxy.losses.append("the answer")
    proxy.before = lambda: own_broker.signal(signal.SIGSTOP)

    with pytest.raises(Undecided):
        lossy.add(make_job(SECOND))
    own_broker.signal(signal.SIGCONT)

    assert b"late" in wait_for(lambda: proxy.lost, "the broker has read the call")[0]
    assert jobs.waiting() == [FIRST]
    assert jobs.withdraw(SECOND)


def test_a_job_that_is_sent_again_too_late_is_not_there_and_will_not_be(
    proxy: LossyProxy, lossy: RedisJobStore, jobs: RedisJobStore
) -> None:
    goes_on = threading.Event()
    proxy.losses.append("the answer")
    held = [goes_on]

    def hold_the_first() -> None:
        if held:
            held.pop().wait()

    proxy.before = hold_the_first

    with pytest.raises(Unavailable) as refusal:
        lossy.add(make_job(SECOND))
    goes_on.set()

    assert not isinstance(refusal.value, Undecided)
    assert b"late" in wait_for(lambda: proxy.lost, "the broker has read the first call")[0]
    assert jobs.waiting() == [FIRST]


@pytest.mark.parametrize("loss", ["the answer", "the connection"])
def test_a_job_whose_answer_is_lost_is_added_once(
    proxy: LossyProxy, lossy: RedisJobStore, jobs: RedisJobStore, loss: Loss
) -> None:
    proxy.losses.append(loss)

    lossy.add(make_job(SECOND), limits=QueueLimits(most_waiting=2))

    assert b"added" in proxy.lost[0]
    assert jobs.waiting() == [FIRST, SECOND]


def test_a_job_of_which_nobody_knows_whether_it_is_there_can_be_withdrawn(
    proxy: LossyProxy, lossy: RedisJobStore, jobs: RedisJobStore
) -> None:
    proxy.losses += ["the answer", "the answer"]

    with pytest.raises(Undecided):
        lossy.add(make_job(SECOND))

    assert jobs.waiting() == [FIRST, SECOND]
    assert jobs.withdraw(SECOND)
    assert jobs.waiting() == [FIRST]


@pytest.mark.parametrize("loss", ["the answer", "the connection"])
def test_a_change_whose_answer_is_lost_is_made_once(
    proxy: LossyProxy, lossy: RedisJobStore, jobs: RedisJobStore, loss: Loss
) -> None:
    lossy.update(FIRST, lambda job: job.start(at=NOON))
    proxy.losses.append(loss)

    canceled = lossy.update(FIRST, lambda job: job.request_cancel(at=NOON))

    assert canceled.revision == 3
    assert jobs.get(FIRST) == canceled


def test_a_full_broker_takes_no_job_and_says_so(jobs: RedisJobStore, own_broker: LiveBroker) -> None:
    with connect(own_broker.url, timeout_s=10) as client:
        client.config_set("maxmemory", 1)

    with pytest.raises(Unavailable) as refusal:
        jobs.add(make_job(FIRST))

    assert not isinstance(refusal.value, Undecided)
    assert isinstance(refusal.value.__cause__, redis.ResponseError)
    assert jobs.waiting() == []
