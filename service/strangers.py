"""Who shows no key that there is, again and again: told to wait, and no longer written down one by one.

A key that is good is good from any address: behind a proxy, or a router, a stranger locks nobody out. A key
is 256 random bits, so it is not guessing that has to be slowed, but what it costs: a line of the audit log
for each try.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

_PER_MINUTE: Final = 120.0
_MOST_ADDRESSES: Final = 10_000
_IPV6_BITS: Final = 64
"""Of an address, which one subscriber's have in common."""


@dataclass
class _Bucket:
    left: float
    at_s: float
    is_empty: bool = False


@dataclass(frozen=True)
class Wait:
    """Somebody has tried too often."""

    seconds: float
    is_first: bool
    """Whether the try before was let through."""


class Strangers:
    """A bucket of tries for each address, of this process."""

    def __init__(self, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        """Those that were seen last at the end."""
        self._lock = threading.Lock()

    def take(self, address: str) -> Wait | None:
        """Take a try; None, or, if there is none left, how long to wait without trying."""
        now_s = self._clock_s()
        with self._lock:
            bucket = self._bucket(_subscriber(address), now_s)
            left = min(_PER_MINUTE, bucket.left + (now_s - bucket.at_s) * _PER_MINUTE / 60)
            bucket.at_s = now_s
            if left >= 1:
                bucket.left, bucket.is_empty = left - 1, False
                return None
            was_empty, bucket.is_empty = bucket.is_empty, True  # and fills only while nobody tries
            return Wait((1 - bucket.left) * 60 / _PER_MINUTE, is_first=not was_empty)

    def _bucket(self, name: str, now_s: float) -> _Bucket:
        self._buckets.setdefault(name, _Bucket(_PER_MINUTE, now_s))
        self._buckets.move_to_end(name)
        while len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return self._buckets[name]


def _subscriber(address: str) -> str:
    """What stands for whoever has an address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((ip, _IPV6_BITS), strict=False)) if isinstance(ip, IPv6Address) else address
