"""Programs on several machines, which share a broker and a bucket and nothing else."""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import nibabel
import numpy as np
import pytest

from disyre.adapters.nifti_write import write_nifti
from service.app import production_app
from service.settings import ServiceSettings
from tests.builders import make_volume
from tests.live import LiveBroker, live_worker, wait_for
from tests.live_bucket import LiveBucket, make_bucket
from tests.service.live_api import served
from worker.one_shot import score_files
from worker.settings import WorkerSettings

LONG_S = 60.0


@pytest.fixture
def bucket(s3: str) -> LiveBucket:
    return make_bucket(s3, "several-machines")


@contextmanager
def api(folder: Path, models: Path, environment: dict[str, str]) -> Iterator[httpx.Client]:
    """An API with a data folder of its own."""
    given = {name.removeprefix("DISYRE_").lower(): value for name, value in environment.items()}
    settings = ServiceSettings.model_validate(
        {**given, "data_dir": folder, "models_dir": models, "min_free_bytes": 0, "reap_interval_s": 0.5}
    )
    with (
        served(production_app(settings)) as url,
        httpx.Client(base_url=url, timeout=LONG_S) as client,
    ):
        yield client


def files_in(folder: Path) -> list[str]:
    """But for the audit log, and the lock of who makes jobs of series."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in found if "audit" not in path.parts and path.name != "round"]


def test_one_api_takes_a_scan_a_worker_elsewhere_scores_it_and_another_api_serves_the_same_files(
    own_broker: LiveBroker, bucket: LiveBucket, models: Path, tmp_path: Path
) -> None:
    environment = {"DISYRE_BROKER_URL": own_broker.url, **bucket.settings(tmp_path)}
    here, there, worker = (tmp_path / name for name in ("api-a", "api-c", "worker-b"))
    of_worker = {
        **environment,
        "DISYRE_DATA_DIR": str(worker),
        "DISYRE_MODELS_DIR": str(models),
        "DISYRE_THREADS": "1",
    }
    scan = tmp_path / "scan.nii.gz"
    write_nifti(scan, make_volume((96, 96, 60)))
    with ExitStack() as machines:
        machines.enter_context(live_worker(of_worker, tmp_path / "worker.log"))
        a = machines.enter_context(api(here, models, environment))
        c = machines.enter_context(api(there, models, environment))

        accepted = a.post("/v1/jobs", content=scan.read_bytes(), params={"model": "t1w"})
        assert accepted.status_code == 202, accepted.text
        assert files_in(here) == []
        path = accepted.headers["Location"]
        job = wait_for(lambda: finished(c, path), "the job is finished", within_s=LONG_S)
        assert (job["state"], job["attempt"]) == ("succeeded", 1), job
        results = {
            name: c.get(f"{path}/results/{name}").raise_for_status().content
            for name in (each["name"] for each in c.get(f"{path}/results").json()["results"])
        }

        assert files_in(worker) == []
        assert c.delete(path).status_code == 204
        assert list(bucket.objects()) in ([], ["disyre/store-mark.json"])
        assert (files_in(here), files_in(there)) == ([], [])
    assert_same(results, of_files(scan, models, tmp_path))


def finished(client: httpx.Client, path: str) -> dict[str, object] | None:
    job: dict[str, object] = client.get(path, params={"wait": 5}).json()
    return job if job["state"] in ("succeeded", "failed") else None


def of_files(scan: Path, models: Path, tmp_path: Path) -> dict[str, bytes]:
    """What the same scan gives where there is a folder and nothing else."""
    settings = WorkerSettings(models_dir=models, data_dir=tmp_path / "none", threads=1)
    out = tmp_path / "out"
    score_files([scan], out, {"model": "t1w"}, settings=settings, on_progress=lambda progress: None)
    return {path.name: path.read_bytes() for path in out.iterdir()}


def assert_same(results: dict[str, bytes], others: dict[str, bytes]) -> None:
    assert results.keys() == others.keys()
    volumes = {name for name in results if name.endswith(".nii.gz")}
    assert len(volumes) > 1
    for name in volumes:
        first, second = (
            nibabel.Nifti1Image.from_bytes(gzip.decompress(files[name])) for files in (results, others)
        )
        np.testing.assert_array_equal(np.asarray(first.dataobj), np.asarray(second.dataobj))
        np.testing.assert_array_equal(first.affine, second.affine)
