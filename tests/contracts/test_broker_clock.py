"""The broker's clock, whatever the broker does."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from disyre.adapters.broker import connect
from disyre.adapters.broker_clock import BrokerClock
from disyre.errors import Unavailable
from tests.live import LiveBroker, live_broker

SOON = timedelta(seconds=10)


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[LiveBroker]:
    """One that a test may stop."""
    with live_broker(tmp_path) as broker:
        yield broker


def test_the_time_is_counted_on_between_two_questions_and_while_the_broker_is_away(
    own_broker: LiveBroker,
) -> None:
    clock_s = [1000.0]
    with connect(own_broker.url, timeout_s=0.2) as client:
        clock = BrokerClock(client, ask_every_s=5, clock_s=lambda: clock_s[0])
        first = clock.now()
        assert abs(first - datetime.now(UTC)) < SOON  # the broker is on this machine

        clock_s[0] += 4
        assert clock.now() == first + timedelta(seconds=4)

        own_broker.signal(signal.SIGSTOP)
        clock_s[0] += 4
        assert clock.now() == first + timedelta(seconds=8)
        clock_s[0] += 4
        assert clock.now() == first + timedelta(seconds=12), "it is not asked again at once"

        own_broker.signal(signal.SIGCONT)
        clock_s[0] += 3600
        assert abs(clock.now() - datetime.now(UTC)) < SOON


def test_a_broker_that_was_never_there_tells_no_time(own_broker: LiveBroker) -> None:
    own_broker.signal(signal.SIGSTOP)
    with connect(own_broker.url, timeout_s=0.2) as client, pytest.raises(Unavailable):
        BrokerClock(client).now()
