"""Model packages are damaged, replaced and added, before a worker starts and while it runs."""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from disyre.adapters.settings import EX_CONFIG
from disyre.model_package import NETWORK_FILE
from tests.drills.site import Api, Site, since
from tests.live import wait_for
from tests.toy_model import SLOW_MODEL, make_toy_model, toy_network

_STAYS_QUEUED_S: Final = 5.0
_MAP: Final = "anomaly.nii.gz"
_OTHER: Final = "other"


@dataclass
class Packages:
    """Nothing may ever be scored by a network that is not the one its job names."""

    site: Site
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Figures. Fails if a wrong network scores a scan, or right ones no longer do."""
        make_toy_model(self.site.models, name=_OTHER, gain=0.75)
        api = self.site.add_api()
        self._corrupt_at_start(api)
        expected = self._map_of(api, self.site.submit(api))
        self._replaced_in_memory(api, expected)
        self._replaced_on_disk(api)
        self._added(api, expected)
        self.figures["jobs, each done once"] = len(self.site.check_all(api))
        return self.figures

    def _corrupt_at_start(self, api: Api) -> None:
        """One bit is wrong: the worker refuses to start, and jobs wait until it is put right."""
        with self._replaced("t1w", _with_one_bit_flipped):
            worker = self.site.begin_worker("refusing")
            status = worker.process.wait(90)
            job_id = self.site.submit(api)
            time.sleep(_STAYS_QUEUED_S)
            waiting = (api.job(job_id) or {})["state"]
            ready = api.get("/readyz").status_code
        self.site.programs.remove(worker)
        (line,) = [line for line in worker.text().splitlines() if "cannot start" in line]
        assert "is not the network of its manifest" in line, line
        assert (status, waiting, ready) == (EX_CONFIG, "queued", httpx.codes.SERVICE_UNAVAILABLE)
        self.site.add_worker()
        begun = time.monotonic()
        self.site.check_all(api)
        self.figures["a bit of the default network flipped, at start"] = {
            "exit status of the worker": status,
            "job": waiting,
            "/readyz": ready,
            "done after a worker could start, s": since(begun),
        }

    def _replaced_in_memory(self, api: Api, expected: str) -> None:
        """A network that is held in memory, with a job at work: the file is another one from now on."""
        slow, behind = self.site.submit(api, SLOW_MODEL), self.site.submit(api)
        api.wait_until_restoring(slow)
        with self._replaced("t1w", _another_network), self._replaced(SLOW_MODEL, _another_network):
            refused = self._refused(api, "t1w")
            assert api.wait_until_finished(slow)["state"] == "succeeded"
        seen = self._map_of(api, behind)  # it may have waited until the network was right again
        assert seen == expected, "the map is that of the network which the job names"
        self.figures["replaced by another network, held in memory"] = {
            "jobs": "succeed, by the right one",
            "another job": refused,
        }

    def _replaced_on_disk(self, api: Api) -> None:
        """A network that no worker has read yet: its job waits or fails, and succeeds once it is right."""
        wait_for(lambda: _are_all_offered(api), "the worker has seen that all are right", within_s=60)
        slow = self.site.submit(api, SLOW_MODEL)
        api.wait_until_restoring(slow)
        posted = self._posted(api, _OTHER)
        with self._replaced(_OTHER, _another_network):
            assert api.wait_until_finished(slow)["state"] == "succeeded"
            assert self._map_of(api, self.site.submit(api)), "other models are not concerned"
            job = api.job(posted) or {}
        seen = job["state"] if job["error"] is None else f"{job['state']}, {job['error']['code']}"
        assert seen in ("queued", "failed, misconfigured"), job
        wait_for(lambda: _are_all_offered(api), "the worker has seen that all are right", within_s=60)
        assert seen == "queued" or api.post(f"/v1/jobs/{posted}/retry").is_success
        wait_for(lambda: (api.job(posted) or {}).get("state") == "succeeded", "it succeeds", within_s=60)
        self.site.delete(api, posted)
        self.figures["replaced by another network, not read yet"] = {"job": seen, "put right": "succeeded"}

    def _refused(self, api: Api, model: str) -> str:
        """What a job is told once the worker has seen that the network is not the one it holds."""

        def refusal() -> str:
            answer = api.post("/v1/jobs", content=self.site.scan, params={"model": model})
            if answer.status_code == httpx.codes.ACCEPTED:
                self.site.remember(answer.json()["id"])
                return ""
            return f"refused, {answer.status_code} {answer.json()['code']}"

        said = wait_for(refusal, "jobs are refused", within_s=60)
        assert said == "refused, 503 model-damaged"
        return said

    def _posted(self, api: Api, model: str) -> str:
        """A job that is not among those which are to succeed."""
        answer = api.post("/v1/jobs", content=self.site.scan, params={"model": model})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["id"])

    def _added(self, api: Api, expected: str) -> None:
        """A new version is moved in: the next job is its."""
        apart = self.site.folder / "apart"
        make_toy_model(apart, version="2", gain=0.25)
        (apart / "t1w" / "2").rename(self.site.models / "t1w" / "2")
        begun = time.monotonic()

        def of_the_new() -> dict[str, Any] | None:
            job = api.wait_until_finished(self.site.submit(api))
            return job if job["model"]["version"] == "2" else None

        job = wait_for(of_the_new, "the new version scores", within_s=120)
        assert job["state"] == "succeeded", job["error"]
        assert self._map_of(api, job["id"]) != expected
        old = api.post("/v1/jobs", content=self.site.scan, params={"model": "t1w", "version": "1"}).json()[
            "id"
        ]
        self.site.remember(old)
        assert self._map_of(api, old) == expected
        self.figures["a version added"] = {"scores after, s": since(begun), "the old one": "scores as before"}

    def _map_of(self, api: Api, job_id: str) -> str:
        """What tells the anomaly map of a job from others."""
        job = api.wait_until_finished(job_id)
        assert job["state"] == "succeeded", job["error"]
        return hashlib.sha256(api.get(f"/v1/jobs/{job_id}/results/{_MAP}").content).hexdigest()

    @contextmanager
    def _replaced(self, model: str, change: Callable[[bytes], bytes]) -> Iterator[None]:
        """The network of a model is another file for the length of a block, whole at every moment."""
        network = self.site.models / model / "1" / NETWORK_FILE
        kept = self.site.folder / f"{model}.kept"
        shutil.copy(network, kept)
        _put(network, change(network.read_bytes()))
        try:
            yield
        finally:
            _put(network, kept.read_bytes())


def _are_all_offered(api: Api) -> bool:
    return not api.get("/v1/models").json()["left_out"]


def _put(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".new")
    partial.write_bytes(content)
    partial.rename(path)


def _with_one_bit_flipped(network: bytes) -> bytes:
    middle = len(network) // 2
    return network[:middle] + bytes([network[middle] ^ 1]) + network[middle + 1 :]


def _another_network(_: bytes) -> bytes:
    return bytes(toy_network(0.9).SerializeToString())
