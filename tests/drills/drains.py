"""API and worker are told to stop (SIGTERM) in the midst of work."""

import math
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.drills.site import Api, Site, since
from tests.live import wait_for
from tests.toy_model import SLOW_MODEL

_GRACE_S: Final = 10.0
_N_EACH: Final = 10
_PIECE_EVERY_S: Final = 0.1
"""A client that sends all the time: one that pauses for a second is answered at once whatever it is told."""
_SHORT_S: Final = 3.0
"""An upload that takes so long ends within the grace."""
_LONG_S: Final = 30.0
_PATIENCE_S: Final = 60.0
_ESTABLISHED: Final = "01"


@dataclass
class Drains:
    """Uploads, polls and listeners of an API; jobs of a worker."""

    site: Site
    ends: Counter[str] = field(default_factory=Counter)
    took_s: dict[str, list[float]] = field(default_factory=dict)
    told_at: float = 0.0

    def run(self) -> dict[str, Any]:
        """Figures. Fails if somebody was left hanging, a job was lost, or something half stays."""
        figures: dict[str, Any] = {"API": self._drain_api()}
        api = self.site.add_api()
        assert api.get("/v1/jobs").is_success
        figures["worker with a grace of 60 s"] = self._drain_worker(api, "60", attempt=1)
        figures["worker with a grace of 0 s"] = self._drain_worker(api, "0", attempt=2)
        figures["jobs, each with one end"] = len(self.site.check_all(api))
        return figures

    def _drain_api(self) -> dict[str, Any]:
        """Stop it while clients send and wait; no worker is there, so that nothing else happens."""
        api = self.site.add_api(DISYRE_SHUTDOWN_GRACE_S=str(_GRACE_S))
        job_id = self.site.submit(api)
        clients = [
            *(self._client("upload of 30 s", lambda: self._upload(api, _LONG_S)) for _ in range(_N_EACH)),
            *(self._client("long poll", lambda: _poll(api, job_id)) for _ in range(_N_EACH)),
            *(self._client("listener", lambda: _listen(api, job_id)) for _ in range(_N_EACH)),
        ]
        wait_for(lambda: _n_connections(api.port) >= len(clients), "all are connected")
        clients += [
            self._client("upload of 3 s", lambda: self._upload(api, _SHORT_S)) for _ in range(_N_EACH)
        ]
        wait_for(lambda: len(list((self.site.data_dir / "incoming").iterdir())) == 2 * _N_EACH, "all send")
        self.told_at = time.monotonic()
        status = api.program.stop(within_s=_GRACE_S + 30)
        exit_s = since(self.told_at)
        for client in clients:
            client.join(_PATIENCE_S)
            assert not client.is_alive(), "a client was left hanging"
        assert status in (0, -signal.SIGTERM), status
        assert self.ends["upload of 3 s: 202"] == _N_EACH, self.ends
        assert self.ends["upload of 30 s: 503"] == _N_EACH, self.ends
        assert self.ends["long poll: 200"] == _N_EACH, self.ends
        assert self.ends["listener: ended"] == _N_EACH, self.ends
        waits = max(self.took_s["long poll"] + self.took_s["listener"])
        assert waits < _GRACE_S, "who waits for news does not hold it up"
        return {
            "exit status": status,
            "ended after, s": exit_s,
            "seen": dict(sorted(self.ends.items())),
            "polls and listeners ended after, s": waits,
        }

    def _client(self, name: str, call: Callable[[], str]) -> threading.Thread:
        def run() -> None:
            try:
                end = call()
            except httpx.TransportError as error:
                end = f"connection closed ({type(error).__name__})"
            self.ends[f"{name}: {end}"] += 1
            self.took_s.setdefault(name, []).append(since(self.told_at))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _upload(self, api: Api, length_s: float) -> str:
        def pieces() -> Iterator[bytes]:
            size = math.ceil(len(self.site.scan) * _PIECE_EVERY_S / length_s)
            for begin in range(0, len(self.site.scan), size):
                yield self.site.scan[begin : begin + size]
                time.sleep(_PIECE_EVERY_S)

        url = f"http://127.0.0.1:{api.port}/v1/jobs?model=t1w"
        answer = httpx.post(url, content=pieces(), timeout=_PATIENCE_S)
        if answer.status_code == httpx.codes.ACCEPTED:
            self.site.remember(answer.json()["id"])
        assert "X-Request-ID" in answer.headers, answer.text
        return str(answer.status_code)

    def _drain_worker(self, api: Api, grace_s: str, *, attempt: int) -> dict[str, Any]:
        """Stop a worker at a job, with another one waiting."""
        worker = self.site.add_worker(f"worker-{grace_s}", DISYRE_SHUTDOWN_GRACE_S=grace_s)
        self.site.wait_until_all_finished(api)
        job_id, waiting = self.site.submit(api, SLOW_MODEL), self.site.submit(api)
        api.wait_until_restoring(job_id)
        begun = time.monotonic()
        status = worker.stop(within_s=90)
        took_s = since(begun)
        job, other = api.job(job_id) or {}, api.job(waiting) or {}
        assert status == 0, status
        assert job["state"] == ("succeeded" if attempt == 1 else "queued"), job["history"]
        assert (other["state"], other["attempt"]) == ("queued", 0), other["history"]
        next_worker = self.site.add_worker(f"worker-{grace_s}-next")
        done = api.wait_until_finished(job_id)
        assert (done["state"], done["attempt"]) == ("succeeded", attempt), done["history"]
        self.site.check_all(api)
        next_worker.stop()
        return {
            "exit status": status,
            "ended after, s": took_s,
            "its job": job["state"],
            "the one behind it": other["state"],
            "attempts in the end": done["attempt"],
        }


def _n_connections(port: int) -> int:
    """To a port of this machine, as its server sees them."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    seen = [line.split()[1:4] for line in lines]
    return sum(local.endswith(f":{port:04X}") and state == _ESTABLISHED for local, _, state in seen)


def _poll(api: Api, job_id: str) -> str:
    """Wait for news of a job that has none."""
    url = f"http://127.0.0.1:{api.port}/v1/jobs/{job_id}?wait=25"
    answer = httpx.get(url, timeout=_PATIENCE_S)
    return str(answer.status_code)


def _listen(api: Api, job_id: str) -> str:
    """Follow a job until the stream ends."""
    url = f"http://127.0.0.1:{api.port}/v1/jobs/{job_id}/events"
    with httpx.stream("GET", url, timeout=_PATIENCE_S) as stream:
        for _ in stream.iter_lines():
            pass
    return "ended"
