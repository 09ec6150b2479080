"""Where hostile inputs are tried: the API and a worker on a broker, all real."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from disyre.adapters.redis_job_events import RedisJobEvents
from tests.hostile import archives, dicom, nifti, requests
from tests.hostile.hostile import Hostile, Outcome
from tests.integration.workplace import Workplace
from tests.live import live_broker, wait_for
from tests.service.live_api import LiveApi, live_api
from tests.toy_model import make_toy_model

INPUTS = [*nifti.INPUTS, *dicom.INPUTS, *archives.INPUTS, *requests.INPUTS]


@dataclass
class Scene:
    """A service that is up."""

    api: LiveApi
    workplace: Workplace

    def try_out(self, hostile: Hostile) -> Outcome:
        """Send an input; if it is accepted, wait for the end of its job."""
        answer = hostile.post(self.api.client)
        if answer.status_code != 202:
            return Outcome(answer.status_code, _code(answer))
        job = self.workplace.wait_until_finished(answer.json()["id"])
        return Outcome(202, job.error.code if job.error else "")


def _code(answer: httpx.Response) -> str:
    is_problem = (
        answer.headers.get("Content-Type", "") == "application/problem+json" or answer.content[:1] == b"{"
    )
    return str(answer.json()["code"]) if is_problem else ""


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """The service for the length of a block."""
    models = folder / "models"
    make_toy_model(models)
    with live_broker(folder / "broker") as broker:
        workplace = Workplace(broker, models, folder)
        api_on_it = live_api(
            folder,
            jobs=workplace.jobs,
            events=RedisJobEvents(workplace.client),
            queue=workplace.queue,
            workers=workplace.registry,
        )
        with api_on_it as api, workplace.worker():
            wait_for(workplace.registry.workers, "the worker is ready")
            yield Scene(api, workplace)
