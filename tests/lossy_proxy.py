"""A way to a broker on which answers get lost, and on which something may happen to the broker meanwhile."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Loss = Literal["the answer", "the connection"]


@dataclass
class LossyProxy:
    """Passes on what clients and a broker say to one another, but for answers to what a test names."""

    url: str
    command: bytes = b"EVALSHA"
    """Requests with this word are the ones that a test is about."""
    losses: list[Loss] = field(default_factory=list)
    """What is lost of the answer to the next of them, and to those that follow."""
    before: Callable[[], None] = lambda: None
    """Done before such a request is passed on."""
    lost: list[bytes] = field(default_factory=list)
    """Answers that no client has heard."""


@contextmanager
def lossy_proxy(broker: Path) -> Iterator[LossyProxy]:
    """A proxy before a broker's socket, for the length of a block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = LossyProxy(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        threading.Thread(target=_serve, args=(listener, broker, proxy), daemon=True).start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, broker: Path, proxy: LossyProxy) -> None:
    with suppress(OSError):  # the end
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_pass_on, args=(client, broker, proxy), daemon=True).start()


def _pass_on(client: socket.socket, broker: Path, proxy: LossyProxy) -> None:
    """One request of a client after the other."""
    with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
        server.connect(str(broker))
        while request := client.recv(2**20):
            loss: Loss | None = None
            if proxy.command in request:
                loss = proxy.losses.pop(0) if proxy.losses else None
                proxy.before()
            server.sendall(request)
            answer = server.recv(2**20)
            if loss is None:
                client.sendall(answer)
                continue
            proxy.lost.append(answer)
            if loss == "the connection":
                return
