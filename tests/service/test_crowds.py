"""More clients than there may be: they are refused, and the others are served."""

import logging
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.crowd import Crowd
from service.open_files import most_connections, raise_limit
from tests.live import wait_for
from tests.service.live_api import LiveApi, live_api
from tests.service.test_slow_clients import connected, read_to_the_end, refusal

MOST = 3
HALF_A_HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow:"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    with live_api(tmp_path, max_connections=MOST) as api:
        yield api


def test_one_client_too_many_is_told_so_and_the_next_is_served_once_another_is_gone(api: LiveApi) -> None:
    with ExitStack() as crowd:
        slow = [crowd.enter_context(connected(api, HALF_A_HEAD)) for _ in range(MOST)]
        with connected(api) as one_more:
            answer = read_to_the_end(one_more)
        assert refusal(answer) == (503, "too-many-connections")
        assert b"retry-after: " in answer.lower()
        slow[0].close()

        def is_served() -> bool:
            with connected(
                api, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            ) as next_one:
                return b" 200 " in read_to_the_end(next_one)

        wait_for(is_served, "there is room again")


def test_in_a_crowd_one_more_is_told_that_the_process_lives_and_nothing_else(api: LiveApi) -> None:
    with ExitStack() as crowd:
        for _ in range(MOST):
            crowd.enter_context(connected(api, HALF_A_HEAD))
        asked = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with connected(api, asked % b"/livez") as one_more:
            alive = read_to_the_end(one_more)
        with connected(api, asked % b"/v1/jobs") as one_more:
            refused = read_to_the_end(one_more)

    assert alive.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in alive
    assert refusal(refused) == (503, "too-many-connections")


def test_of_a_flood_most_are_told_nothing_and_it_does_no_harm(api: LiveApi) -> None:
    with ExitStack() as flood:
        for _ in range(200):
            flood.enter_context(socket.create_connection(api.address))

    def is_served() -> bool:
        with connected(
            api, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ) as next_one:
            try:
                return b" 200 " in read_to_the_end(next_one)
            except ConnectionResetError:
                return False

    wait_for(is_served, "the flood is over", within_s=10)


def test_the_log_tells_once_when_a_crowd_begins_and_once_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="service.crowd")
    crowd = Crowd(10)

    assert [crowd.has_room(n) for n in (10, 11, 12, 10, 11, 8, 9)] == [
        True,
        False,
        False,
        True,
        False,
        True,
        True,
    ]

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert raise_limit() == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("n_files", "n_connections"), [(-1, 2000), (10**6, 2000), (1024, 308), (50, 1)])
def test_there_are_no_more_connections_than_files_suffice_for(n_files: int, n_connections: int) -> None:
    assert most_connections(2000, n_files) == n_connections
