"""A study through all parts: API, broker and worker; each series goes to the model of what it is."""

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from pydicom.dataset import FileDataset

from disyre import geometry
from disyre.adapters.clock_marks import RedisClockMarks
from disyre.adapters.expiry import RedisExpiry
from disyre.adapters.exports import RedisExports
from disyre.adapters.idempotency_keys import RedisIdempotencyKeys
from disyre.adapters.nifti_write import write_nifti
from disyre.adapters.owner_index import RedisOwnerIndex
from disyre.adapters.rate_limiter import RedisRateLimiter
from disyre.adapters.redis_job_events import RedisJobEvents
from disyre.job_state import JobState
from disyre.model_shelf import ModelShelf
from disyre.types import Voxels
from disyre.volume import Volume
from service.app import create_app
from service.audit import AuditLog
from service.backends import Backends
from service.held_series import HeldSeries
from service.settings import ServiceSettings
from tests.dicom_phantom import encoded, make_series
from tests.integration.workplace import Workplace
from tests.live import LiveBroker, wait_for
from tests.real_brain import make_real_brain
from tests.service.live_api import served
from tests.toy_model import make_toy_model
from tests.zip_files import zipped_images

T2W: dict[str, Any] = {"ScanningSequence": "SE", "RepetitionTime": 4500, "EchoTime": 98}
PATIENCE_S = 30.0


@pytest.fixture
def workplace(shared_broker: LiveBroker, tmp_path: Path) -> Workplace:
    """With toy models of T1w and T2w."""
    models = tmp_path / "models"
    make_toy_model(models)
    make_toy_model(models, name="t2w", modality="T2w")
    workplace = Workplace(shared_broker, models, tmp_path)
    workplace.client.flushall()
    return workplace


def as_series(scan: Volume, uid: str, **attributes: Any) -> list[FileDataset]:
    """A scan whose axes run along those of the world, as DICOM."""
    lps = geometry.ras_to_lps(scan.affine)
    directions = lps[:3, :3] / np.linalg.norm(lps[:3, :3], axis=0)
    normal = np.cross(directions[:, 0], directions[:, 1])
    order = range(scan.shape[2]) if normal @ directions[:, 2] > 0 else range(scan.shape[2] - 1, -1, -1)
    series = make_series(
        shape=scan.shape[:2],
        spacing_mm=(scan.spacing_mm[1], scan.spacing_mm[0]),
        orientation=[*directions[:, 0], *directions[:, 1]],
        positions=[lps[:3, :3] @ [0, 0, k] + lps[:3, 3] for k in order],
        SeriesInstanceUID=uid,
        **attributes,
    )
    for image, k in zip(series, order, strict=True):
        image.PixelData = _plane(scan.voxels, k)
    return series


def _plane(voxels: Voxels, k: int) -> bytes:
    return np.round(voxels[:, :, k].T).astype("<u2").tobytes()


def app_of(workplace: Workplace, tmp_path: Path) -> FastAPI:
    """The API on the stores of a workplace."""
    backends = Backends(
        jobs=workplace.jobs,
        events=RedisJobEvents(workplace.client),
        owners=RedisOwnerIndex(workplace.client),
        rates=RedisRateLimiter(workplace.client),
        expiry=RedisExpiry(workplace.client),
        exports=RedisExports(workplace.client),
        held=HeldSeries(tmp_path / "stow", max_bytes=2**30, max_instances=1000),
        clock_marks=RedisClockMarks(workplace.client),
        idempotency_keys=RedisIdempotencyKeys(workplace.client),
        audit=AuditLog(tmp_path / "audit"),
        queue=workplace.queue,
        artifacts=workplace.artifacts,
        models=ModelShelf(workplace.models),
        workers=workplace.registry,
    )
    return create_app(backends, ServiceSettings(min_free_bytes=0))


def test_the_series_of_a_study_go_to_the_models_of_what_they_are(
    workplace: Workplace, tmp_path: Path
) -> None:
    app = app_of(workplace, tmp_path)
    silent = as_series(make_real_brain("T1w"), "1.2.1")
    told = as_series(make_real_brain("T2w"), "1.2.2", **T2W)
    write_nifti(tmp_path / "flair.nii.gz", make_real_brain("FLAIR"))
    with (
        served(app) as url,
        httpx.Client(base_url=url, timeout=PATIENCE_S) as client,
        workplace.worker(),
    ):
        wait_for(workplace.registry.workers, "the worker is ready", within_s=60)
        study = client.post("/v1/studies", content=zipped_images(encoded([*silent, *told])))
        flair = client.post("/v1/jobs", content=(tmp_path / "flair.nii.gz").read_bytes())
        assert (study.status_code, flair.status_code) == (202, 202), study.text
        by_image, by_header = (workplace.wait_until_finished(job["id"]) for job in study.json()["jobs"])
        refused = workplace.wait_until_finished(flair.json()["id"])
        view = client.get(f"/v1/jobs/{by_image.id}").json()

    assert [job["model"] and job["model"]["name"] for job in study.json()["jobs"]] == [None, "t2w"]
    for job, name, source in ((by_image, "T1w", "image"), (by_header, "T2w", "header")):
        assert (job.state, job.error) == (JobState.SUCCEEDED, None)
        assert job.modality is not None
        assert (job.modality.name, job.modality.source) == (name, source)
        path = workplace.artifacts.result_file(job.id, job.attempt, "summary.json")
        summary = json.loads(path.read_bytes())
        assert (summary["model"]["name"], summary["model"]["modality"]) == (name.lower(), name)
        assert summary["scan"]["modality"] == job.modality.model_dump()
        assert {"pm.dcm", "seg.dcm", "sc.zip", "sr.dcm"} < {each.name for each in job.artifacts}
    assert (view["model"]["name"], view["modality"]["source"]) == ("t1w", "image")
    assert refused.error is not None
    assert (refused.error.code, refused.model) == ("no-model-for-modality", None)
    assert refused.modality is not None
    assert refused.modality.name == "FLAIR"


def test_all_of_a_series_names_the_part_of_it_that_it_supersedes_and_the_broker_forgets_what_is_deleted(
    workplace: Workplace, tmp_path: Path
) -> None:
    images = encoded(make_series(8, SeriesInstanceUID="1.2.1"))
    with (
        served(app_of(workplace, tmp_path)) as url,
        httpx.Client(base_url=url, timeout=PATIENCE_S) as client,
    ):
        part, whole, again = (
            client.post("/v1/jobs", content=zipped_images(sent)).json()
            for sent in (images[:5], images, images)
        )
        indices = list(workplace.client.scan_iter("disyre:series:*"))
        for job in (part, whole, again):
            client.post(f"{job['links']['self']}/cancel")
            assert client.delete(job["links"]["self"]).status_code == 204

    assert [job["supersedes"] for job in (part, whole, again)] == [None, part["id"], part["id"]]
    assert len(indices) == 1
    assert list(workplace.client.scan_iter("disyre:series:*")) == []
