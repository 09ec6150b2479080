"""What an upload holds, said without a job; and what a submission of several volumes is answered."""

import json
from pathlib import Path
from typing import Any

import httpx
import nibabel as nib
import numpy as np
import pytest
from pydicom.uid import UID, JPEGLSLossless, RLELossless

from disyre.candidate import Candidate
from tests.dicom_phantom import SAGITTAL, encoded, make_enhanced, make_series
from tests.service.live_api import LiveApi, live_api
from tests.zip_files import zipped, zipped_images

FIRST, SECOND = "1.2.3.4.1", "1.2.3.4.2"


def study() -> list[bytes]:
    """Two series of one head."""
    first = make_series(8, SeriesInstanceUID=FIRST, EchoTime=3.0)
    second = make_series(6, SeriesInstanceUID=SECOND, EchoTime=90.0, orientation=SAGITTAL)
    return encoded([*first, *second])


def four_cubed() -> bytes:
    return bytes(nib.Nifti1Image(np.zeros((4, 4, 4)), np.eye(4)).to_bytes())


def inspect(api: LiveApi, content: bytes) -> dict[str, Any]:
    response = api.client.post("/v1/inspect", content=content)
    assert response.status_code == 200, response.text
    assert api.holds_nothing()
    facts: dict[str, Any] = response.json()
    return facts


def test_the_volumes_of_a_study_are_listed_and_nothing_is_kept(api: LiveApi) -> None:
    files = {f"a/b/{n}": image for n, image in enumerate(study())}
    facts = inspect(api, zipped({"readme.txt": b"hello", **files}))

    assert [(v["series_uid"], v["n"], v["shape"], v["code"]) for v in facts["volumes"]] == [
        (FIRST, 8, [9, 7, 8], None),
        (SECOND, 6, [9, 7, 6], None),
    ]
    assert facts["volumes"][0]["spacing_mm"] == pytest.approx([2.0, 1.5, 3.0])
    assert [v["orientation"] for v in facts["volumes"]] == ["LPS", "PIR"]
    assert facts["warnings"] == ["1 file left out, as not DICOM"]


def test_a_volume_that_cannot_be_scored_says_why(api: LiveApi) -> None:
    images = make_series(8)
    del images[3]

    (volume,) = inspect(api, zipped_images(encoded(images)))["volumes"]

    assert volume["code"] == "irregular-slices"
    assert "1 slice is missing: 1 after slice 3 of 7 (between 6.00 and 12.00 mm" in volume["reason"]
    assert volume["shape"] is None


def test_an_enhanced_file_is_one_volume(api: LiveApi) -> None:
    (volume,) = inspect(api, encoded([make_enhanced(make_series(8))])[0])["volumes"]

    assert (volume["n"], volume["code"]) == (8, None)


@pytest.mark.parametrize(("axes", "code"), [((), None), ((1,), None), ((3,), "not-3d")])
def test_a_nifti_says_how_many_volumes_it_has(api: LiveApi, axes: tuple[int, ...], code: str | None) -> None:
    image = nib.Nifti1Image(np.zeros((4, 5, 6, *axes), np.float32), np.diag([-1, 1, 2, 1]))

    (volume,) = inspect(api, bytes(image.to_bytes()))["volumes"]

    assert volume["shape"] == [4, 5, 6]
    assert volume["n"] == (axes[0] if axes else 1)
    assert (volume["orientation"], volume["code"]) == ("LAS", code)


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 2, 8), (3, 8, 8)])
def test_a_nifti_with_too_few_slices_says_so_as_a_series_does(
    api: LiveApi, shape: tuple[int, int, int]
) -> None:
    content = bytes(nib.Nifti1Image(np.zeros(shape, np.float32), np.eye(4)).to_bytes())

    (volume,) = inspect(api, content)["volumes"]
    refused = api.client.post("/v1/jobs", content=content)

    said = f"expected at least 4 slices of one volume, got {min(shape)}"
    assert volume["code"] == refused.json()["code"] == "too-few-slices"
    assert volume["reason"].startswith(said)
    assert refused.json()["detail"].startswith(said)
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"text" * 100, 415, "not-an-image"),
        (b"", 400, "empty-upload"),
        (zipped({"a": b"text"}), 415, "not-an-image"),
        (zipped({"a": bytes(128) + b"DICM" + bytes(50)}), 422, "unreadable-volume"),
        (zipped({"a": four_cubed()[:-1]}), 422, "unreadable-volume"),
        (zipped({"a": four_cubed(), "b": four_cubed()}), 422, "multiple-volumes"),
        (zipped({"a": four_cubed(), "b": study()[0]}), 422, "multiple-volumes"),
        (zipped({"a": four_cubed(), "b": zipped({"c": four_cubed()})}), 422, "unusable-archive"),
    ],
)
def test_what_holds_no_image_is_refused(api: LiveApi, content: bytes, status: int, code: str) -> None:
    response = api.client.post("/v1/inspect", content=content)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert api.holds_nothing()


def test_a_mask_is_looked_at_as_for_a_job(api: LiveApi, scan: bytes, mask: bytes) -> None:
    dicom = zipped_images(study()[:8])

    def post(path: str, file: bytes, mask: bytes) -> httpx.Response:
        return api.client.post(path, files={"file": file, "mask": mask})

    fitting, on_dicom = post("/v1/inspect", scan, mask), post("/v1/inspect", dicom, mask)
    wrong = [post(path, scan, four_cubed()).json() for path in ("/v1/inspect", "/v1/jobs")]
    damaged = [post(path, dicom, mask[:-9]).json() for path in ("/v1/inspect", "/v1/jobs")]

    assert (fitting.status_code, on_dicom.status_code) == (200, 200)
    assert [each["code"] for each in wrong] == ["mask-mismatch"] * 2
    assert [each["code"] for each in damaged] == ["unreadable-volume"] * 2
    assert wrong[0]["detail"] == wrong[1]["detail"]
    assert damaged[0]["detail"] == damaged[1]["detail"]


def test_a_scan_that_cannot_be_scored_is_listed_whatever_its_mask_is(api: LiveApi) -> None:
    several = bytes(nib.Nifti1Image(np.zeros((6, 6, 6, 3)), np.eye(4)).to_bytes())

    listed = api.client.post("/v1/inspect", files={"file": several, "mask": four_cubed()})
    refused = api.client.post("/v1/jobs", files={"file": several, "mask": four_cubed()})

    (volume,) = listed.json()["volumes"]
    assert volume["code"] == refused.json()["code"] == "not-3d"
    assert volume["reason"] == refused.json()["detail"]


def test_several_nifti_in_a_zip_are_refused_with_what_they_are_but_not_with_their_names(api: LiveApi) -> None:
    content = zipped({"CANARY^A.nii": four_cubed(), "b.nii": four_cubed()})

    refused, inspected = (api.client.post(path, content=content) for path in ("/v1/jobs", "/v1/inspect"))

    first, second = refused.json()["candidates"]
    assert first["description"] == "NIfTI 1 of 2 in the archive: 4 x 4 x 4 voxels of float64"
    assert (second["shape"], second["spacing_mm"], second["code"]) == (
        [4, 4, 4],
        [1, 1, 1],
        "multiple-volumes",
    )
    assert set(first) == set(Candidate.model_fields)
    assert inspected.json()["candidates"] == refused.json()["candidates"]
    assert "CANARY" not in refused.text


def test_several_volumes_are_refused_with_what_they_are_and_one_can_be_picked(api: LiveApi) -> None:
    files = [("file", image) for image in study()]

    refused = api.client.post("/v1/jobs", files=files)
    taken = api.client.post("/v1/jobs", files=files, params={"series_uid": SECOND})
    unknown = api.client.post("/v1/jobs", files=files, params={"series_uid": "9.9"})

    assert (refused.status_code, refused.json()["code"]) == (422, "multiple-volumes")
    assert [each["series_uid"] for each in refused.json()["candidates"]] == [FIRST, SECOND]
    assert "series_uid picks one" in refused.json()["detail"]
    assert taken.status_code == 202
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid-params")
    assert unknown.json()["candidates"] == refused.json()["candidates"]


def test_a_volume_has_the_same_fields_wherever_it_is_listed(api: LiveApi) -> None:
    files = [("file", image) for image in study()]

    refused = api.client.post("/v1/jobs", files=files)
    inspected = api.client.post("/v1/inspect", files=files)

    assert refused.json()["candidates"] == inspected.json()["volumes"]
    assert all(set(each) == set(Candidate.model_fields) for each in refused.json()["candidates"])


@pytest.mark.parametrize("how", ["query", "form"])
def test_one_series_can_be_inspected_alone(api: LiveApi, how: str) -> None:
    def inspect_series(series: str) -> httpx.Response:
        if how == "query":
            content = zipped_images(study())
            return api.client.post("/v1/inspect", content=content, params={"series_uid": series})
        files = [("file", image) for image in study()]
        return api.client.post(
            "/v1/inspect", files=files, data={"params": json.dumps({"series_uid": series})}
        )

    found, unknown = inspect_series(SECOND), inspect_series("9.9")

    assert [each["series_uid"] for each in found.json()["volumes"]] == [SECOND]
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid-params")
    assert [each["series_uid"] for each in unknown.json()["candidates"]] == [FIRST, SECOND]


def test_of_nifti_no_series_can_be_inspected(api: LiveApi, scan: bytes) -> None:
    response = api.client.post("/v1/inspect", content=scan, params={"series_uid": FIRST})

    assert (response.status_code, response.json()["code"]) == (422, "invalid-params")


REFUSED_OPTIONS: dict[str, tuple[dict[str, str], str]] = {
    "a model": ({"model": "nope"}, "unknown-model"),
    "a version": ({"model": "t1w", "version": "99"}, "unknown-model"),
    "a version of a modality": ({"modality": "T1w", "version": "99"}, "unknown-model"),
    "a modality": ({"modality": "FLAIR"}, "no-model-for-modality"),
    "a callback": ({"callback": "http://evil.example/"}, "invalid-params"),
    "an archive": ({"export": "nowhere"}, "unknown-server"),
    "a time": ({"retention_s": "999999999"}, "invalid-params"),
    "results": ({"outputs": "seg"}, "invalid-params"),
}


@pytest.mark.parametrize("how", ["query", "form"])
@pytest.mark.parametrize(("params", "code"), REFUSED_OPTIONS.values(), ids=REFUSED_OPTIONS)
def test_options_are_refused_as_with_a_job(
    api: LiveApi, scan: bytes, params: dict[str, str], code: str, how: str
) -> None:
    options: dict[str, Any] = {**params, "outputs": ["seg"]} if "outputs" in params else params
    form: dict[str, Any] = {"files": {"file": scan}, "data": {"params": json.dumps(options)}}
    request: dict[str, Any] = {"content": scan, "params": params} if how == "query" else form

    refused, inspected = (api.client.post(path, **request) for path in ("/v1/jobs", "/v1/inspect"))

    assert refused.json()["code"] == code
    assert (inspected.status_code, inspected.json()["code"]) == (refused.status_code, code)
    assert inspected.json()["detail"] == refused.json()["detail"]
    assert api.holds_nothing()


def test_results_as_dicom_may_be_asked_for_of_dicom(api: LiveApi) -> None:
    content = zipped_images(study()[:8])

    assert api.client.post("/v1/inspect", content=content, params={"outputs": "seg"}).status_code == 200


def test_where_no_model_is_installed_an_upload_can_be_listed_and_a_series_picked(
    tmp_path: Path,
) -> None:
    (tmp_path / "models").mkdir()
    with live_api(tmp_path) as api:
        answers = [
            api.client.post("/v1/inspect", content=zipped_images(study()), params=params)
            for params in ({}, {"series_uid": FIRST}, {"model": "t1w"})
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 422]


def test_a_series_that_cannot_be_used_is_listed_and_the_other_can_be_taken(api: LiveApi) -> None:
    bad = make_series(6, SeriesInstanceUID="1.2.3.4.3", PhotometricInterpretation="MONOCHROME1")
    upload = zipped_images([*study()[:8], *encoded(bad)])

    volumes = inspect(api, upload)["volumes"]
    refused = api.client.post("/v1/jobs", content=upload)
    studied = api.client.post("/v1/studies", content=upload)
    taken = api.client.post("/v1/jobs", content=upload, params={"series_uid": FIRST})

    assert [(v["series_uid"], v["code"]) for v in volumes] == [
        (FIRST, None),
        ("1.2.3.4.3", "unusable-volume"),
    ]
    assert (refused.json()["code"], refused.json()["candidates"]) == ("multiple-volumes", volumes)
    assert (taken.status_code, studied.status_code) == (202, 202)
    assert [each["code"] for each in studied.json()["left_out"]] == ["unusable-volume"]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/studies"])
def test_images_of_several_patients_are_refused_with_what_they_are(api: LiveApi, path: str) -> None:
    images = [
        *make_series(8, SeriesInstanceUID=FIRST, PatientID="CANARY-1"),
        *make_series(6, SeriesInstanceUID=SECOND, PatientID="CANARY-2"),
    ]
    upload = zipped_images(encoded(images))

    refused = api.client.post(path, content=upload)

    assert (refused.status_code, refused.json()["code"]) == (422, "several-patients")
    assert [each["series_uid"] for each in refused.json()["candidates"]] == [FIRST, SECOND]
    assert "CANARY" not in refused.text
    assert api.client.post("/v1/jobs", content=upload, params={"series_uid": FIRST}).status_code == 202


def test_pixels_that_are_cut_off_are_seen_before_there_is_a_job(api: LiveApi) -> None:
    *whole, last = study()[:8]
    upload = zipped_images([*whole, last[:-20]])

    (volume,) = inspect(api, upload)["volumes"]
    refused = api.client.post("/v1/jobs", content=upload)

    assert volume["code"] == "unreadable-volume"
    assert (refused.status_code, refused.json()["code"]) == (422, "unreadable-volume")
    assert "the file is cut off" in refused.json()["detail"]


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("n_bytes", [10, 400])
def test_compressed_pixels_that_are_cut_off_make_their_series_unusable(
    syntax: UID, n_bytes: int, api: LiveApi
) -> None:
    """It is the last slice: without a word the head would be one slice shorter."""
    *whole, last = encoded(make_series(8), syntax)
    upload = zipped_images([*whole, last[:-n_bytes]])

    (volume,) = inspect(api, upload)["volumes"]

    assert volume["code"] == "unreadable-volume"
    assert "cut off" in volume["reason"]
    assert "(1 of 8 images in this series)" in volume["reason"]
    assert api.client.post("/v1/jobs", content=upload).status_code == 422


def test_volumes_of_one_series_are_not_said_to_be_fine_where_none_can_be_picked(api: LiveApi) -> None:
    echoes = [
        *make_series(8, SeriesInstanceUID=FIRST, EchoTime=3.0),
        *make_series(8, SeriesInstanceUID=FIRST, EchoTime=90.0),
    ]
    upload = zipped_images(encoded(echoes))

    volumes = inspect(api, upload)["volumes"]
    refused = api.client.post("/v1/jobs", content=upload, params={"series_uid": FIRST})

    assert [each["code"] for each in volumes] == ["multiple-volumes"] * 2
    assert "differ in echo time (3 ms against 90 ms);" in volumes[0]["reason"]
    assert "differ in echo time (3 ms against 90 ms): send one" in refused.json()["detail"]
    assert (refused.status_code, refused.json()["code"]) == (422, "multiple-volumes")


def test_a_volume_of_several_in_a_nifti_file_is_listed_as_it_would_be_scored(api: LiveApi) -> None:
    several = bytes(nib.Nifti1Image(np.zeros((6, 6, 6, 3)), np.eye(4)).to_bytes())

    all_of_them, the_last, none = (
        api.client.post("/v1/inspect", content=several, params=params)
        for params in ({}, {"volume_index": "2"}, {"volume_index": "3"})
    )

    assert all_of_them.json()["volumes"][0]["code"] == "not-3d"
    assert the_last.json()["volumes"][0]["code"] is None
    assert (none.status_code, none.json()["code"]) == (422, "invalid-params")
    dicom = zipped_images(study())
    assert api.client.post("/v1/inspect", content=dicom, params={"volume_index": "0"}).status_code == 422


def test_two_patients_without_an_id_are_told_apart_by_name_and_date_of_birth(api: LiveApi) -> None:
    images = make_series(12, PatientID="", PatientName="CANARY^A", PatientBirthDate="19500101")
    for image in images[6:]:
        image.PatientBirthDate = "19900101"
    upload = zipped_images(encoded(images))

    refused = api.client.post("/v1/jobs", content=upload)

    assert (refused.status_code, refused.json()["code"]) == (422, "several-patients")
    assert "CANARY" not in refused.text


def test_dicom_that_cannot_be_scored_is_refused_at_once(api: LiveApi) -> None:
    images = make_series(8)
    del images[3]

    response = api.client.post("/v1/jobs", files=[("file", image) for image in encoded(images)])

    assert (response.status_code, response.json()["code"]) == (422, "irregular-slices")
    assert api.holds_nothing()


def test_a_series_of_nifti_is_refused(api: LiveApi, scan: bytes) -> None:
    response = api.client.post("/v1/jobs", content=scan, params={"series_uid": FIRST})

    assert (response.status_code, response.json()["code"]) == (422, "invalid-params")
