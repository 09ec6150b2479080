"""What becomes of a scan that is posted."""

import base64
import hashlib
import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import nibabel as nib
import numpy as np
import pytest

from disyre import INTENDED_USE
from disyre.adapters.task_queue import InMemoryTaskQueue
from disyre.errors import InvalidParams, Unavailable
from disyre.job import Job
from disyre.job_state import JobState
from service.given_options import query_options
from service.receiving import RAW_TYPES
from tests.builders import make_job, make_volume
from tests.dicom_phantom import encoded, make_series
from tests.service.conftest import nifti_bytes
from tests.service.live_api import LiveApi, live_api
from tests.service.refused import check_refused
from tests.zip_files import zipped_images

DICOM = encoded(make_series(30))
GZIP = {"Content-Type": "application/gzip"}


def test_a_scan_as_raw_body_becomes_a_job_in_the_queue(api: LiveApi, scan: bytes) -> None:
    response = api.client.post("/v1/jobs", content=scan, headers=GZIP)

    view = response.json()
    assert response.status_code == 202
    assert response.headers["Location"] == f"/v1/jobs/{view['id']}"
    assert int(response.headers["Retry-After"]) >= 1
    assert (view["state"], view["queue_position"], view["intended_use"]) == ("queued", 1, INTENDED_USE)
    assert view["input"] == {
        "format": "nifti-gz",
        "n_files": 1,
        "size_bytes": len(scan),
        "sha256": hashlib.sha256(scan).hexdigest(),
        "has_mask": False,
        "shape": [40, 48, 36],
        "spacing_mm": [1.0, 1.0, 1.0],
        "orientation": "RAS",
        "warnings": [],
    }
    assert api.queue.job_ids == [view["id"]]
    assert api.artifacts.input_file(view["id"], "000001").read_bytes() == scan


@pytest.mark.parametrize("kind", ["nifti", "dicom", "study"])
def test_a_job_says_at_once_how_its_scan_lies_and_what_is_odd_about_it(
    api: LiveApi, tmp_path: Path, kind: str
) -> None:
    scaled = np.diag([-2.0, 3.0, 1.2345678, 1.0])
    nifti = nifti_bytes(tmp_path, make_volume(affine=scaled))
    content = nifti if kind == "nifti" else zipped_images([*DICOM, b"notes"])

    view = api.client.post("/v1/studies" if kind == "study" else "/v1/jobs", content=content).json()
    given = (view["jobs"][0] if kind == "study" else view)["input"]
    (volume,) = api.client.post("/v1/inspect", content=content).json()["volumes"]

    names = ("shape", "spacing_mm", "orientation")
    assert [given[name] for name in names] == [volume[name] for name in names]
    if kind == "nifti":
        assert [given[name] for name in names] == [[40, 48, 36], [2.0, 3.0, 1.2346], "LAS"]
    assert given["warnings"][:1] == (["1 file left out, as not DICOM"] if kind == "dicom" else [])


def test_a_job_from_before_scans_were_described_is_shown(api: LiveApi) -> None:
    old = make_job()
    api.jobs.add(old.model_validate_json(old.model_dump_json(exclude={"scan"})))

    given = api.client.get(f"/v1/jobs/{old.id}").json()["input"]

    names = ("shape", "spacing_mm", "orientation", "warnings")
    assert [given[name] for name in names] == [None, None, None, []]


def test_nothing_of_an_accepted_upload_stays_in_incoming(api: LiveApi, scan: bytes) -> None:
    job_id = api.client.post("/v1/jobs", content=scan, headers=GZIP).json()["id"]

    assert api.left_behind() == [f"jobs/{job_id}", f"jobs/{job_id}/input", f"jobs/{job_id}/input/000001"]


def test_a_body_without_a_type_is_judged_by_its_bytes(api: LiveApi, tmp_path: Path) -> None:
    plain = nifti_bytes(tmp_path, make_volume(), name="made.nii")

    response = api.client.post("/v1/jobs", content=plain)

    assert (response.status_code, response.json()["input"]["format"]) == (202, "nifti")


@pytest.mark.parametrize("stated", ["application/x-www-form-urlencoded", "application/octet-stream", ""])
def test_a_raw_body_of_any_binary_type_is_judged_by_its_bytes(api: LiveApi, scan: bytes, stated: str) -> None:
    response = api.client.post("/v1/jobs", content=scan, headers={"Content-Type": stated})

    assert (response.status_code, response.json()["input"]["format"]) == (202, "nifti-gz")
    assert response.json()["input"]["sha256"] == hashlib.sha256(scan).hexdigest()


def test_a_form_carries_scan_mask_and_options(api: LiveApi, scan: bytes, mask: bytes) -> None:
    params = {"model": "t1w", "version": "1", "severities": [0.8, 0.2], "labels": {"study": "a"}}

    response = api.client.post(
        "/v1/jobs", files={"file": scan, "mask": mask}, data={"params": json.dumps(params)}
    )

    assert response.status_code == 202
    job = api.jobs.get(response.json()["id"])
    assert (job.params.severities, job.params.labels) == ((0.8, 0.2), {"study": "a"})
    assert job.input.mask is not None
    assert job.input.mask.sha256 == hashlib.sha256(mask).hexdigest()
    assert api.artifacts.input_file(job.id, "mask").read_bytes() == mask


def test_a_query_carries_options(api: LiveApi, scan: bytes) -> None:
    query = {"model": "t1w", "mode": "stepwise", "severities": "0.8,0.2", "threshold": "0.5"}
    query |= {"bias_correction": "true", "align": "1", "outputs": "nifti,png"}

    response = api.client.post("/v1/jobs", content=scan, headers=GZIP, params=query)

    assert response.status_code == 202
    params = api.jobs.get(response.json()["id"]).params
    assert (params.mode, params.severities, params.threshold) == ("stepwise", (0.8, 0.2), 0.5)
    assert (params.bias_correction, params.align) == (True, True)
    assert params.outputs == ("nifti", "png")


def test_a_volume_of_a_4d_file_is_taken_if_it_is_said_which(api: LiveApi) -> None:
    content = bytes(nib.Nifti1Image(np.zeros((4, 4, 4, 2), dtype=np.float32), np.eye(4)).to_bytes())

    response = api.client.post("/v1/jobs", content=content, params={"volume_index": "1"})

    assert response.status_code == 202
    assert response.json()["params"]["volume_index"] == 1


def test_options_may_begin_with_a_byte_order_mark(api: LiveApi, scan: bytes) -> None:
    params = b'\xef\xbb\xbf{"threshold": 0.75}'

    response = api.client.post("/v1/jobs", files={"file": scan, "params": (None, params)})

    assert response.json()["params"]["threshold"] == 0.75


def test_options_in_a_form_win_over_those_in_its_query(api: LiveApi, scan: bytes) -> None:
    response = api.client.post(
        "/v1/jobs", params={"threshold": "0.5"}, files={"file": scan}, data={"params": '{"threshold": 0.75}'}
    )

    assert response.json()["params"]["threshold"] == 0.75


def test_many_dicom_files_are_one_job(api: LiveApi) -> None:
    slices = [("file", image) for image in DICOM]

    response = api.client.post("/v1/jobs", files=slices)

    view = response.json()
    hashes = sorted(hashlib.sha256(content).hexdigest() for _, content in slices)
    assert (view["input"]["format"], view["input"]["n_files"]) == ("dicom", 30)
    assert (
        view["input"]["sha256"]
        == hashlib.sha256("".join(f"{each}\n" for each in hashes).encode()).hexdigest()
    )
    assert [api.artifacts.input_file(view["id"], f"{n:06d}").read_bytes() for n in (1, 30)] == [
        slices[0][1],
        slices[-1][1],
    ]


def test_a_zip_is_taken(api: LiveApi) -> None:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for number, image in enumerate(DICOM):
            writer.writestr(f"{number}.dcm", image)

    response = api.client.post(
        "/v1/jobs", content=archive.getvalue(), headers={"Content-Type": "application/zip"}
    )

    assert (response.status_code, response.json()["input"]["format"]) == (202, "zip")


@pytest.mark.parametrize("media_type", [each for each in RAW_TYPES if each != "application/octet-stream"])
def test_every_type_that_is_taken_is_in_the_contract_and_leads_to_the_bytes(
    api: LiveApi, scan: bytes, media_type: str
) -> None:
    response = api.client.post("/v1/jobs", content=scan, headers={"Content-Type": media_type})

    assert (response.status_code, response.json()["input"]["format"]) == (202, "nifti-gz")
    document = api.client.get("/openapi.json").json()
    assert media_type in document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]


def test_the_name_of_a_file_is_used_for_nothing(api: LiveApi, scan: bytes) -> None:
    name = "../../ZZCANARY^PHI.nii.gz"

    response = api.client.post("/v1/jobs", files={"file": (name, scan)})

    assert response.status_code == 202
    assert "ZZCANARY" not in response.text
    assert "ZZCANARY" not in api.jobs.get(response.json()["id"]).model_dump_json()
    assert not any("ZZCANARY" in str(path) for path in api.root.parent.rglob("*"))


def test_a_body_with_the_digest_that_it_claims_is_taken(api: LiveApi, scan: bytes) -> None:
    digest = base64.b64encode(hashlib.sha256(scan).digest()).decode()

    response = api.client.post(
        "/v1/jobs", content=scan, headers={**GZIP, "Content-Digest": f"sha-512=:AAAA:, sha-256=:{digest}:"}
    )

    assert response.status_code == 202


@pytest.mark.parametrize("others", ["", "md5=:AAAA:", "sha-512=:AAAA:, unixsum=?0", "sha-2567=:AAAA:"])
def test_a_digest_by_an_algorithm_that_is_not_known_is_ignored(
    api: LiveApi, scan: bytes, others: str
) -> None:
    response = api.client.post("/v1/jobs", content=scan, headers={**GZIP, "Content-Digest": others})

    assert response.status_code == 202


def form_of(scan: bytes, *, claimed: bytes | None = None) -> dict[str, Any]:
    """A form with the digest of its whole body, or of another one."""
    request = httpx.Request("POST", "http://localhost", files={"file": scan})
    body = request.read()
    digest = base64.b64encode(hashlib.sha256(claimed or body).digest()).decode()
    headers = {"Content-Type": request.headers["Content-Type"], "Content-Digest": f"sha-256=:{digest}:"}
    return {"content": body, "headers": headers}


def test_a_form_with_the_digest_that_it_claims_is_taken(api: LiveApi, scan: bytes) -> None:
    assert api.client.post("/v1/jobs", **form_of(scan)).status_code == 202


def test_a_form_that_is_not_the_one_of_its_digest_is_refused_and_leaves_nothing(
    api: LiveApi, scan: bytes
) -> None:
    response = api.client.post("/v1/jobs", **form_of(scan, claimed=scan))

    check_refused(api, response, 400, "digest-mismatch")


class DeafQueue(InMemoryTaskQueue):
    """A queue that takes no message."""

    def enqueue(self, job: Job) -> None:
        """Raise Unavailable."""
        raise Unavailable("the broker does not take messages")


def test_a_job_that_is_stored_is_accepted_even_if_it_cannot_be_sent(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path, queue=DeafQueue()) as api:
        response = api.client.post("/v1/jobs", content=scan, headers=GZIP)

        assert response.status_code == 202
        assert api.jobs.get(response.json()["id"]).state is JobState.QUEUED


def test_an_option_that_is_there_twice_is_refused() -> None:
    with pytest.raises(InvalidParams, match="once"):
        query_options([("severities", "0.5"), ("severities", "0.2")])
