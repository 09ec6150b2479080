"""A series that reaches a real PACS is scored, and what comes of it is in the PACS, in the same study."""

import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import highdicom
import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from tests.e2e.stack import Serve, serving
from tests.live import ROOT, wait_for
from tests.pacs.plugged_orthanc import IS_THERE, STABLE_AFTER_S, Orthanc, running_orthanc

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not IS_THERE, reason="needs Orthanc with its plugins, and DCMTK"),
    pytest.mark.timeout(600),
]

VIEWED = {"scan.nii.gz", "anomaly.nii.gz", "restored.nii.gz", "mask.nii.gz", "preview.png"}
"""What the page of a job shows."""


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    with serving(tmp_path_factory.mktemp("stack"), models=ROOT / "models") as stack:
        yield stack


@pytest.fixture
def orthanc(serve: Serve, tmp_path: Path) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path / "orthanc", f"http://127.0.0.1:{serve.port}") as running:
        yield running


def test_a_head_that_is_sent_to_orthanc_comes_back_as_map_regions_captures_and_report(
    serve: Serve, orthanc: Orthanc, tmp_path: Path
) -> None:
    folder = _unpacked(ROOT / "examples" / "head.zip", tmp_path / "head")
    orthanc.store(folder)
    series = _only_scan(orthanc)
    wait_until_scored(orthanc, series)

    assert len(orthanc.get("/studies")) == 1
    by_modality = Counter(each["MainDicomTags"]["Modality"] for each in orthanc.series())
    assert by_modality == {"MR": 1, "OT": 2, "SEG": 1, "SR": 1}
    job = orthanc.metadata(series, "disyre-job")
    assert np.array_equal(_map_in(orthanc), _map_of(serve, job))
    results = serve.get(f"/v1/jobs/{job}/results").json()["results"]
    assert {each["name"] for each in results} >= VIEWED
    assert len(serve.get("/v1/jobs?label=from:orthanc&label=series:401").json()["jobs"]) == 1


def test_a_head_that_is_sent_twice_gives_no_second_series(
    serve: Serve, orthanc: Orthanc, tmp_path: Path
) -> None:
    folder = _unpacked(ROOT / "examples" / "head.zip", tmp_path / "head")
    orthanc.store(folder)
    series = _only_scan(orthanc)
    wait_until_scored(orthanc, series)
    job, n_jobs = orthanc.metadata(series, "disyre-job"), _n_jobs(serve)

    orthanc.store(folder)
    time.sleep(3 * STABLE_AFTER_S)  # more than it takes until a series is stable

    assert (len(orthanc.series()), orthanc.metadata(series, "disyre-job")) == (5, job)
    assert _n_jobs(serve) == n_jobs


def wait_until_scored(orthanc: Orthanc, series: str) -> None:
    def is_scored() -> bool:
        return orthanc.metadata(series, "disyre-state").startswith("succeeded")

    wait_for(is_scored, "the series has been scored", within_s=300)


def _unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
    return folder


def _only_scan(orthanc: Orthanc) -> str:
    def found() -> str | None:
        scans = [each["ID"] for each in orthanc.series() if each["MainDicomTags"]["Modality"] == "MR"]
        return scans[0] if len(scans) == 1 else None

    return wait_for(found, "the scan is there")


def _map_in(orthanc: Orthanc) -> npt.NDArray[np.float32]:
    (series,) = (
        each
        for each in orthanc.series()
        if "anomaly map," in each["MainDicomTags"].get("SeriesDescription", "")
    )
    content = orthanc.content(f"/instances/{series['Instances'][0]}/file")
    return np.asarray(highdicom.imread(BytesIO(content)).pixel_array)


def _map_of(serve: Serve, job: str) -> npt.NDArray[np.float32]:
    content = serve.get(f"/v1/jobs/{job}/results/pm.dcm").content
    return np.asarray(pydicom.dcmread(BytesIO(content)).pixel_array)


def _n_jobs(serve: Serve) -> int:
    return len(serve.get("/v1/jobs?limit=100").json()["jobs"])
