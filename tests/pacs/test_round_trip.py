"""From a real archive, through the service, and back: a head of 384 slices, and thick oblique ones."""

import gzip
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import highdicom
import httpx
import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from tests.e2e.stack import Serve, serving
from tests.live import ROOT, wait_for
from tests.pacs.nifti_series import series_of
from tests.pacs.orthanc import Orthanc, orthanc
from tests.pacs.test_exports import IS_THERE, servers_file
from tests.real_data import real_data

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not IS_THERE, reason="needs Orthanc"),
    pytest.mark.timeout(900),
]
LPS_TO_RAS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
KINDS: Final = {"MR": 1, "OT": 2, "SEG": 1, "SR": 1}


def head_of_384_slices() -> list[bytes]:
    return files_in(real_data("dicom_t1w_head/series.zip"))


def files_in(path: Path) -> list[bytes]:
    """The DICOM files in a zip."""
    with zipfile.ZipFile(path) as archive:
        files = [archive.read(each) for each in archive.infolist() if not each.is_dir()]
    return [file for file in files if file[128:132] == b"DICM"]


def oblique_thick_slices() -> list[bytes]:
    return series_of(real_data("ms_native/patient04/study1_T1w.nii.gz"))


def head_of_the_examples() -> list[bytes]:
    return files_in(ROOT / "examples" / "head.zip")


SCANS: Final[dict[str, Callable[[], list[bytes]]]] = {
    "the head of the examples": head_of_the_examples,
    "a head of 384 slices": head_of_384_slices,
    "oblique slices of 3 mm": oblique_thick_slices,
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture(autouse=True)
def _emptied(archive: Orthanc) -> None:
    """The head of the examples is a part of the study that the one of 384 slices is of."""
    archive.forget()


@pytest.fixture(scope="module")
def serve(archive: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    folder = tmp_path_factory.mktemp("stack")
    pacs = servers_file(folder, archive.dicomweb)
    with serving(folder / "data", models=ROOT / "models", DISYRE_PACS_FILE=str(pacs)) as stack:
        stack.wait_until_ready()
        yield stack


@pytest.mark.parametrize("files", SCANS.values(), ids=SCANS)
def test_a_series_is_fetched_and_its_results_come_back_into_its_study_once_however_often_sent(
    serve: Serve, archive: Orthanc, files: Callable[[], list[bytes]]
) -> None:
    images = files()
    first = pydicom.dcmread(BytesIO(images[0]), stop_before_pixels=True)
    study, series = str(first.StudyInstanceUID), str(first.SeriesInstanceUID)
    for image in images:
        archive.store(image)

    job = pulled(serve, study, series)

    assert job["state"] == "succeeded", job["error"]
    assert job["input"]["n_files"] == len(images)
    stored = exported(serve, job["id"])
    of_study = archive.series_of(study)
    assert Counter(each["MainDicomTags"]["Modality"] for each in of_study) == KINDS
    in_archive = volume_of(archive.file(map_in(of_study)["Instances"][0]))
    of_job = volume_of(serve.get(f"/v1/jobs/{job['id']}/results/pm.dcm").content)
    assert np.array_equal(in_archive.affine, of_job.affine)
    assert difference(in_archive, of_job.array, of_job.affine) == 0
    anomaly = nifti_of(serve.get(f"/v1/jobs/{job['id']}/results/anomaly.nii.gz").content)
    assert difference(in_archive, np.asanyarray(anomaly.dataobj), LPS_TO_RAS @ anomaly.affine) == 0

    assert serve.post(f"/v1/jobs/{job['id']}/exports", json={"server": "pacs1"}).status_code == 202
    assert exported(serve, job["id"]) == stored
    again = archive.series_of(study)
    assert {each["ID"]: len(each["Instances"]) for each in again} == {
        each["ID"]: len(each["Instances"]) for each in of_study
    }


def test_oblique_slices_are_where_they_were_in_the_scan_that_they_were_made_of(
    serve: Serve, archive: Orthanc
) -> None:
    source = nib.Nifti1Image.from_filename(real_data("ms_native/patient04/study1_T1w.nii.gz"))
    images = oblique_thick_slices()
    first = pydicom.dcmread(BytesIO(images[0]), stop_before_pixels=True)
    for image in images:
        archive.store(image)
    job = pulled(serve, str(first.StudyInstanceUID), str(first.SeriesInstanceUID))
    scan = nifti_of(serve.get(f"/v1/jobs/{job['id']}/results/scan.nii.gz").content)

    found = volume_of(serve.get(f"/v1/jobs/{job['id']}/results/pm.dcm").content)
    in_source = in_voxels_of(found, LPS_TO_RAS @ source.affine)

    assert abs(source.affine[0, 2]) > 0.1  # oblique
    assert in_source.max(axis=1).tolist() == [size - 1 for size in source.shape]
    assert in_source.min() == 0
    as_read = in_voxels_of(found, LPS_TO_RAS @ scan.affine)
    assert np.array_equal(
        np.asanyarray(scan.dataobj)[tuple(as_read)], np.asanyarray(source.dataobj)[tuple(in_source)]
    )


def pulled(serve: Serve, study: str, series: str) -> dict[str, Any]:
    """A job of a series in the archive, once it is finished; its results go back."""
    source = {"type": "dicomweb", "server": "pacs1", "study": study, "series": series}
    body = {"source": source, "params": {"export": "pacs1", "model": "t1w"}}
    answer = httpx.post(f"http://127.0.0.1:{serve.port}/v1/jobs", json=body, timeout=300)
    assert answer.status_code == 202, answer.text
    return serve.wait_until_finished(answer.json()["id"], within_s=600)


def exported(serve: Serve, job_id: str) -> list[Any]:
    """What the archive said of each instance."""

    def ended() -> dict[str, Any] | None:
        exports = serve.get(f"/v1/jobs/{job_id}/exports").json()["exports"]
        return exports[0] if exports and exports[0]["state"] != "waiting" else None

    export = wait_for(ended, "the export has ended", within_s=300)
    assert export["state"] == "stored", export
    return list(export["instances"])


def map_in(series: list[Any]) -> Any:
    (found,) = (
        each for each in series if "anomaly map," in each["MainDicomTags"].get("SeriesDescription", "")
    )
    return found


def volume_of(content: bytes) -> highdicom.Volume:
    """A Parametric Map, with its place in the patient (LPS)."""
    return highdicom.imread(BytesIO(content)).get_volume(dtype=np.float32)


def nifti_of(content: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(content))


def difference(found: highdicom.Volume, values: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> float:
    """The largest difference to what another image (its affine in LPS) has at the same places."""
    assert sorted(found.spatial_shape) == sorted(values.shape)
    at = in_voxels_of(found, affine)
    return float(np.abs(found.array.ravel() - values[tuple(at)]).max())


def in_voxels_of(found: highdicom.Volume, affine: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The indices (axis, voxel) of all voxels in another image, which has one at each of their places."""
    indices = np.indices(found.spatial_shape).reshape(3, -1)
    to_other = np.linalg.inv(affine) @ found.affine
    exact = to_other[:3, :3] @ indices + to_other[:3, 3:]
    nearest: npt.NDArray[np.int64] = np.rint(exact).astype(np.int64)
    assert np.abs(exact - nearest).max() < 1e-2  # of a voxel
    return nearest
