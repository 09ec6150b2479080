"""Somebody who is called when a job has ended, and such a job."""

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.job import JobProblem
from service.egress import Hosts
from tests.builders import JOB_ID, NOON, make_job

SECRET = b"0123456789abcdef01234567"
WHSEC = "whsec_" + base64.b64encode(SECRET).decode()
LOOPBACK = Hosts.read("127.0.0.1,localhost")


class Receiver:
    """Somebody on this machine who is called."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        """Statuses of the next answers; 200 when there is none left."""
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.n_connections = 0
        self.delay_s = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append(({name.lower(): text for name, text in self.headers.items()}, body))
                time.sleep(receiver.delay_s)
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Location", f"http://127.0.0.1:{receiver.server.server_port}/elsewhere")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        class Server(HTTPServer):
            def get_request(self) -> Any:
                receiver.n_connections += 1
                return super().get_request()

            def handle_error(self, *args: Any) -> None:
                pass  # who was called too slowly finds nobody left

        self.server = Server(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook?a=b"


@contextmanager
def called() -> Iterator[Receiver]:
    """Somebody who is called, for the length of a block."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()


class Clock:
    """A time of day that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def ended(url: str, clock: Clock) -> InMemoryJobStore:
    """A store with a job that has failed just now."""
    jobs = InMemoryJobStore(clock=clock)
    jobs.add(make_job(callback=url, labels={"name": "ZZCANARY"}))
    jobs.update(JOB_ID, lambda job: job.start(at=NOON))
    problem = JobProblem(code="not-3d", detail="ZZCANARY")
    jobs.update(JOB_ID, lambda job: job.fail(problem, attempt=1, at=NOON))
    return jobs
