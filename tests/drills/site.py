"""A broker, APIs and workers, each started by a drill: several of them, and any of them can be ended."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import httpx
import redis

from cli.broker import EmbeddedBroker, make_embedded_broker
from disyre.adapters.broker import connect
from disyre.adapters.worker_registry import RedisWorkerRegistry, worker_prefix
from tests.drills.program import Program
from tests.e2e.stack import FINISHED, ApiClient, Document, scan_bytes
from tests.live import ROOT, free_port, wait_for
from tests.toy_model import make_two_models

_RESTART_AFTER_S: Final = 1.0
_FINISHED_WITHIN_S: Final = 300.0
_LAST_LINES: Final = 25


@dataclass
class Api(ApiClient):
    """A process of the API, and calls to it."""

    program: Program

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return self.get("/livez").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@dataclass
class Site:
    """The programs, one data folder and toy models; the settings are those that ship."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    """Of APIs and workers, beside those that say where things are."""
    embedded: EmbeddedBroker = field(init=False)
    broker: Program = field(init=False)
    programs: list[Program] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    """Ids of all jobs for which a client was told 202."""
    may_keep_scans: bool = False
    """Whether a scan may stay for a while when its job has succeeded."""
    _whole: set[str] = field(default_factory=set)
    """Of these, the ones the results of which were looked at."""

    def __post_init__(self) -> None:
        self.data_dir = self.folder / "data"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.models = self.folder / "models"
        make_two_models(self.models)
        self.embedded = make_embedded_broker(self.folder / "broker")
        self.broker = Program(self.embedded.command, {}, self.folder / "broker.log")
        self.client: redis.Redis = connect(self.embedded.url, timeout_s=5)
        self.registry = RedisWorkerRegistry(self.client)
        self.scan = scan_bytes()

    def start_broker(self) -> None:
        """Start it, and wait until it answers."""
        self.broker.start()
        self.programs.append(self.broker)
        wait_for(self.embedded.is_up, "the broker answers")

    def add_api(self, root: Path = ROOT, /, **settings: str) -> Api:
        """One more, that answers; of the code that is at `root`."""
        port = free_port()
        own = {"DISYRE_LISTEN_PORT": str(port), **settings}
        api = Api(self.data_dir, port, self._start("service", f"api-{port}", own, root))
        wait_for(api.is_up, "the API answers", within_s=90)
        return api

    def add_worker(self, name: str = "worker", root: Path = ROOT, /, **settings: str) -> Program:
        """One more, that holds its network."""
        worker = self.begin_worker(name, root, **settings)
        wait_for(lambda: self._is_listed(worker), "the worker is ready", within_s=90)
        return worker

    def begin_worker(self, name: str = "worker", root: Path = ROOT, /, **settings: str) -> Program:
        """One more, that is not waited for."""
        return self._start("worker", name, settings, root)

    def _start(self, module: str, name: str, settings: dict[str, str], root: Path) -> Program:
        environment = {
            "DISYRE_BROKER_URL": self.embedded.url,
            "DISYRE_DATA_DIR": str(self.data_dir),
            "DISYRE_MODELS_DIR": str(self.models),
            "DISYRE_THREADS": "1",
            **self.settings,
            **settings,
        }
        program = Program([sys.executable, "-m", module], environment, self.folder / f"{name}.log", root)
        program.start()
        self.programs.append(program)
        return program

    def _is_listed(self, worker: Program) -> bool:
        return any(each.id == _id_of(worker) for each in self.registry.workers())

    def worker_at(self, job_id: str) -> Program:
        """Who says that it runs a job."""

        def busy() -> Program | None:
            ids = {each.id for each in self.registry.workers() if each.busy_with == job_id}
            return next((program for program in self.programs if _id_of(program) in ids), None)

        return wait_for(busy, "a worker says that it has the job")

    def submit(self, api: Api, model: str = "t1w", **options: Any) -> str:
        """Have a scan accepted; the id of its job."""
        answer = self.post(api, model, **options)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["id"])

    def post(self, api: Api, model: str = "t1w", **options: Any) -> httpx.Response:
        """Post a scan; what was answered. Remembers jobs that were accepted."""
        answer = api.post("/v1/jobs", content=self.scan, params={"model": model}, **options)
        if answer.status_code == httpx.codes.ACCEPTED:
            self.remember(answer.json()["id"])
        return answer

    def remember(self, job_id: str) -> None:
        """A client was told of this job."""
        if job_id not in self.accepted:
            self.accepted.append(job_id)

    def delete(self, api: Api, job_id: str) -> None:
        """Delete a job; it is not looked for any more."""
        answer = httpx.delete(f"http://127.0.0.1:{api.port}/v1/jobs/{job_id}", timeout=10)
        assert answer.is_success, answer.text
        if job_id in self.accepted:
            self.accepted.remove(job_id)

    def wait_until_all_finished(self, api: Api, *, within_s: float = _FINISHED_WITHIN_S) -> list[Document]:
        """All jobs that were accepted, once they have ended."""

        def finished() -> list[Document] | None:
            jobs = [job for job_id in self.accepted if (job := api.job(job_id))]
            ended = [job for job in jobs if job["state"] in FINISHED]
            return ended if len(ended) == len(self.accepted) else None

        return wait_for(finished, "all jobs have ended", within_s=within_s)

    def check_all(self, api: Api) -> list[Document]:
        """See that every accepted job has succeeded, once and whole, and that there is nothing besides."""
        jobs = self.wait_until_all_finished(api)
        for job in (job for job in jobs if job["id"] not in self._whole):
            ends = [entry["state"] for entry in job["history"] if entry["state"] in FINISHED]
            assert ends == ["succeeded"], (job["id"], job["history"], job["error"])
            wait_for(partial(self._is_whole, api, job), "its results are whole, and no others left")
            self._whole.add(job["id"])
        wait_for(self._holds_nothing_else, f"nothing else is left, but {self._left()}")
        return jobs

    def _is_whole(self, api: Api, job: Document) -> bool:
        try:
            api.assert_one_whole_result(job, may_keep_scan=self.may_keep_scans)
        except AssertionError:
            return False
        return True

    def _holds_nothing_else(self) -> bool:
        return self._left() == (set(), set(), [])

    def _left(self) -> tuple[set[str], set[str], list[str]]:
        """Records and folders of jobs that nobody was told of, and half uploads."""
        known = set(self.accepted)
        records = set(cast(list[str], self.client.zrange("disyre:jobs", 0, -1)))
        folders = {path.name for path in (self.data_dir / "jobs").iterdir()}
        return records - known, folders - known, [p.name for p in (self.data_dir / "incoming").iterdir()]

    @contextmanager
    def kept_up(self) -> Iterator[None]:
        """Start again what ends, as a supervisor does, for the length of a block that ends with the site."""
        done = threading.Event()

        def keep_up() -> None:
            while not done.wait(_RESTART_AFTER_S):
                for program in self.programs:
                    if program.has_ended:
                        program.start()

        keeper = threading.Thread(target=keep_up, daemon=True)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join()

    def last_words(self) -> str:
        """The ends of all logs."""
        logs = sorted(self.folder.glob("*.log"))
        ends = {log.name: log.read_text(encoding="utf-8", errors="replace").splitlines() for log in logs}
        return "".join(
            f"--- {name}\n" + "\n".join(lines[-_LAST_LINES:]) + "\n" for name, lines in ends.items()
        )

    def close(self) -> None:
        """End all programs."""
        for program in reversed(self.programs):
            program.kill()
        self.client.close()
        self.embedded.clean_up()


@contextmanager
def site(folder: Path, **settings: str) -> Iterator[Site]:
    """A site with a broker, for the length of a block; nothing is left of it."""
    made = Site(folder, settings)
    try:
        made.start_broker()
        yield made
    finally:
        made.close()


def _id_of(worker: Program) -> str:
    """How a worker calls itself."""
    return f"{worker_prefix()}{worker.process.pid}"


def since(begun: float) -> float:
    """Seconds since a reading of the monotonic clock."""
    return round(time.monotonic() - begun, 2)
