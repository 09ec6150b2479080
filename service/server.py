"""The HTTP server of the API: where it listens, how long it waits for slow clients, and how it stops."""

import logging
import math
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI

from service.crowd import Crowd
from service.deadline_protocol import DeadlineProtocol
from service.dependencies import Parts
from service.open_files import most_connections, raise_limit

logger = logging.getLogger(__name__)


class ServerConfig(uvicorn.Config):
    """uvicorn's, with how many clients may be connected, and how slow they may be to take an answer."""

    def __init__(self, app: FastAPI, crowd: Crowd, *, send_timeout_s: float, **options: Any) -> None:
        super().__init__(app, **options)
        self.crowd = crowd
        self.send_timeout_s = send_timeout_s


class Server(uvicorn.Server):
    """uvicorn's, which tells the app when it is to stop, so that nobody who waits for news holds it up."""

    def __init__(self, app: FastAPI) -> None:
        parts: Parts = app.state.parts
        settings = parts.settings
        n_files = raise_limit()
        crowd = Crowd(most_connections(settings.max_connections, n_files))
        if crowd.most < settings.max_connections:
            logger.warning("at most %d clients at a time: only %d files may be open", crowd.most, n_files)
        super().__init__(
            ServerConfig(
                app,
                crowd,
                send_timeout_s=settings.send_timeout_s,
                host=str(settings.listen_host),
                port=settings.listen_port,
                http=DeadlineProtocol,
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=settings.stall_timeout_s,
                timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_s),
            )
        )
        self._drain = parts.drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, and end when those under way are answered, or their grace is over."""
        self._drain.begin()
        await super().shutdown(sockets)
