"""The broker goes away for a minute while clients submit and jobs wait and run."""

import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.drills.program import Program
from tests.drills.site import Api, Site, since
from tests.live import wait_for
from tests.toy_model import SLOW_MODEL

_ASK_EVERY_S: Final = 1.0
_ANSWERED_WITHIN_S: Final = 4.0
_PIECES: Final = 20
_BACK_WITHIN_S: Final = 30.0
_KEY_FREE_WITHIN_S: Final = 60.0
"""A frozen broker takes a key when it goes on, for a request that was given up: others have it 30 s later."""
_N_RESTARTS: Final = 10


@dataclass
class Outages:
    """The broker is stopped, then frozen, then restarted over and over; all jobs are done all the same."""

    site: Site
    away_s: float
    answers: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Figures. Fails if a job was lost or doubled, or a client was not told within seconds."""
        self.site.broker.stop()
        self.site.programs.remove(self.site.broker)
        worker = self.site.begin_worker()
        api = self.site.add_api()
        assert api.get("/readyz").status_code == httpx.codes.SERVICE_UNAVAILABLE
        self.site.start_broker()
        wait_for(lambda: api.get("/readyz").is_success, "all is ready, begun in the wrong order", within_s=90)

        self._outage(api, "stopped", self._stop, self.site.start_broker)
        self._outage(api, "frozen", self._freeze, self._thaw)
        self._restarts(api)
        assert not worker.has_ended, "the worker has outlived all of it"
        jobs = self.site.check_all(api)
        assert all(job["attempt"] == 1 for job in jobs), [job["history"] for job in jobs]
        self.figures["jobs, each done once, in one attempt"] = len(jobs)
        return self.figures

    def _stop(self) -> None:
        self.site.broker.stop()
        self.site.programs.remove(self.site.broker)

    def _freeze(self) -> None:
        self.site.broker.signal(signal.SIGSTOP)

    def _thaw(self) -> None:
        self.site.broker.signal(signal.SIGCONT)

    def _outage(self, api: Api, name: str, begin: Callable[[], None], end: Callable[[], None]) -> None:
        """Work goes on before, during and after; clients come all the time, one of them with a key."""
        self.answers.clear()
        self.longest_s = 0.0
        running = self.site.submit(api, SLOW_MODEL)
        api.wait_until_restoring(running)
        for _ in range(3):
            self.site.submit(api)
        key = {"Idempotency-Key": secrets.token_hex(16)}
        upload = threading.Thread(target=self._upload_slowly, args=(api,))
        upload.start()
        time.sleep(1)
        begin()
        begun = time.monotonic()
        while time.monotonic() - begun < self.away_s:
            self._ask(api, running, key)
            time.sleep(_ASK_EVERY_S)
        end()
        self.figures[name] = {
            "s": since(begun),
            "answers": dict(sorted(self.answers.items())),
            "longest answer, s": self.longest_s,
            **self._back(api, key),
        }
        upload.join()
        self.site.check_all(api)

    def _ask(self, api: Api, job_id: str, key: dict[str, str]) -> None:
        """What a client, a poller and a supervisor are told meanwhile."""
        submitted = self._timed("POST", lambda: self.site.post(api, headers=key))
        assert submitted.status_code == httpx.codes.SERVICE_UNAVAILABLE, submitted.text
        assert int(submitted.headers["Retry-After"]) > 0
        unchosen = self._timed("POST without a model", lambda: api.post("/v1/jobs", content=self.site.scan))
        assert unchosen.status_code == httpx.codes.SERVICE_UNAVAILABLE, unchosen.text
        assert self._timed("models", lambda: api.get("/v1/models")).is_success
        polled = self._timed("GET", lambda: api.get(f"/v1/jobs/{job_id}"))
        assert polled.status_code == httpx.codes.SERVICE_UNAVAILABLE, polled.text
        assert self._timed("livez", lambda: api.get("/livez")).is_success
        ready = self._timed("readyz", lambda: api.get("/readyz"))
        assert ready.status_code == httpx.codes.SERVICE_UNAVAILABLE

    def _timed(self, what: str, call: Callable[[], httpx.Response]) -> httpx.Response:
        begun = time.monotonic()
        answer = call()
        took_s = since(begun)
        assert took_s < _ANSWERED_WITHIN_S, f"{what} took {took_s} s"
        self.longest_s = max(self.longest_s, took_s)
        self.answers[f"{what} {answer.status_code}"] += 1
        return answer

    def _back(self, api: Api, key: dict[str, str]) -> dict[str, float]:
        """Seconds until scans are accepted, without a key and with that of before; asked twice, it is one."""
        begun = time.monotonic()
        wait_for(lambda: self.site.post(api).is_success, "a scan is accepted again", within_s=_BACK_WITHIN_S)
        accepted_s = since(begun)

        def accepted() -> str | None:
            answer = self.site.post(api, headers=key)
            assert answer.status_code in (httpx.codes.ACCEPTED, httpx.codes.CONFLICT), answer.text
            return str(answer.json()["id"]) if answer.status_code == httpx.codes.ACCEPTED else None

        job_id = wait_for(accepted, "the repeated scan is accepted", within_s=_KEY_FREE_WITHIN_S)
        repeated_s = since(begun)
        assert self.site.submit(api, headers=key) == job_id
        api.wait_until_finished(job_id)
        return {
            "accepted again after, s": accepted_s,
            "that with the key after, s": repeated_s,
            "and scored, behind the others, after, s": since(begun),
        }

    def _upload_slowly(self, api: Api) -> None:
        """Begin an upload before the outage, and end it within."""

        def pieces() -> Iterator[bytes]:
            size = -(-len(self.site.scan) // _PIECES)
            for begin in range(0, len(self.site.scan), size):
                yield self.site.scan[begin : begin + size]
                time.sleep(self.away_s / 2 / _PIECES)

        url = f"http://127.0.0.1:{api.port}/v1/jobs?model=t1w"
        answer = httpx.post(url, content=pieces(), timeout=120)
        self.answers[f"upload under way {answer.status_code}"] += 1
        if answer.status_code == httpx.codes.ACCEPTED:
            self.site.remember(answer.json()["id"])

    def _restarts(self, api: Api) -> None:
        """Kill the broker and start it again, over and over, while jobs are submitted."""
        begun = time.monotonic()
        answers: Counter[int] = Counter()
        for _ in range(_N_RESTARTS):
            answers[self.site.post(api).status_code] += 1
            broker: Program = self.site.broker
            broker.kill()
            self.site.programs.remove(broker)
            answers[self.site.post(api).status_code] += 1
            self.site.start_broker()
            time.sleep(self.away_s / _N_RESTARTS / 2)
        assert set(answers) <= {httpx.codes.ACCEPTED, httpx.codes.SERVICE_UNAVAILABLE}, answers
        self.figures[f"killed and started {_N_RESTARTS} times"] = {
            "s": since(begun),
            "answers": {f"POST {status}": n for status, n in sorted(answers.items())},
        }
        self.site.check_all(api)
