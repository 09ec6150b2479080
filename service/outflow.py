"""How much a client takes of what it is sent, as the system counts it.

That the system takes bytes to send says little of the client: it keeps megabytes for one that reads nothing,
and tells of room again in such steps that who is slow, but honest, would seem to take nothing for minutes.
"""

import asyncio
import fcntl
import socket
import struct
import termios
from dataclasses import dataclass
from typing import Final

_LEAST_BYTES_PER_S: Final = 128
"""Far below the slowest line: a client with little room tells of it only once much of it is free."""
_TCP_INFO_BYTES: Final = 128
_ACKNOWLEDGED_AT: Final = 120
"""`tcpi_bytes_acked` in `struct tcp_info` of Linux."""
_MOST_UNSENT_BYTES: Final = 64 * 1024
"""What the system takes of an answer before it can be sent."""
_MOST_BUFFERED_BYTES: Final = 16 * 1024
"""What this process keeps of an answer beside the piece that is being sent."""


@dataclass(frozen=True)
class _Owed:
    """What the client has to have taken by some time."""

    taken: int
    by: float


class Outflow:
    """What one client has taken so far."""

    def __init__(self, transport: asyncio.Transport, *, within_s: float) -> None:
        """Of what waits for it, the client has to take 128 bytes for each of `within_s`, or all."""
        self._transport = transport
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._within_s = within_s
        self._owed: _Owed | None = None
        transport.set_write_buffer_limits(high=_MOST_BUFFERED_BYTES)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT_BYTES)

    def is_stuck(self, now: float) -> bool:
        """Whether the client takes too little; to be asked several times within the time that it has."""
        taken = self._taken()
        if self._owed is not None and taken < self._owed.taken:
            return now >= self._owed.by
        waiting = self._waiting()
        least = min(waiting, int(self._within_s * _LEAST_BYTES_PER_S))
        self._owed = _Owed(taken + least, now + self._within_s) if waiting else None
        return False

    def cut(self) -> None:
        """End the connection, and have the system forget what waits."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _taken(self) -> int:
        """Bytes that the client's system has said to have, of all answers."""
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        return int(struct.unpack_from("Q", info, _ACKNOWLEDGED_AT)[0])

    def _waiting(self) -> int:
        """Bytes that it has not, here and in this system."""
        there = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
        return self._transport.get_write_buffer_size() + int(struct.unpack("i", there)[0])
