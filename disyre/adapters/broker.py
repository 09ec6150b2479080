"""The connection to Redis or Valkey, which the job store, the queue and the registry of workers share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from disyre.errors import Unavailable

_HEALTH_CHECK_S: Final = 15
"""A connection that was idle for this long is tried before it is used."""


def connect(broker_url: str, *, timeout_s: float) -> redis.Redis:
    """A client that gives up on an answer after `timeout_s`. Connects on first use.

    Takes `redis://`, `rediss://`, `unix://` and Celery's `redis+socket://`.
    """
    return redis.Redis.from_url(
        _plain_url(broker_url),
        decode_responses=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=_HEALTH_CHECK_S,
        # A connection that the broker has closed is opened again; no answer is waited for twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


def _plain_url(broker_url: str) -> str:
    """Celery's spelling of a socket's address, in redis-py's.

    >>> _plain_url("redis+socket:///run/broker.sock?virtual_host=2")
    'unix:///run/broker.sock?db=2'
    """
    parts = urlsplit(broker_url)
    if parts.scheme != "redis+socket":
        return broker_url
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0]
    return f"unix://{parts.netloc}{parts.path}?db={database}"


@contextmanager
def broker_errors() -> Iterator[None]:
    """Turn what redis-py raises into Unavailable."""
    try:
        yield
    except redis.RedisError as error:
        raise Unavailable("the broker does not answer") from error


def in_ms(seconds: float) -> int:
    """A time as the broker takes it, which takes none of 0."""
    return max(1, round(seconds * 1000))
