"""Recognised series over HTTP: what is said of them, which model they go to, and whole studies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from disyre.adapters.job_store import InMemoryJobStore
from disyre.errors import Unavailable
from disyre.job import Job
from tests.dicom_phantom import AXIAL, CORONAL, SAGITTAL, encoded, make_series
from tests.service.live_api import LiveApi, live_api
from tests.service.refused import check_refused
from tests.toy_model import make_toy_model
from tests.zip_files import zipped_images

T1W: dict[str, Any] = {"ScanningSequence": "SE", "RepetitionTime": 600, "EchoTime": 12}
T2W: dict[str, Any] = {"ScanningSequence": "SE", "RepetitionTime": 4500, "EchoTime": 98}
DWI: dict[str, Any] = {"ScanningSequence": "EP", "DiffusionBValue": 1000.0}
UIDS = {"T1w": "1.2.1", "T2w": "1.2.2", "dwi": "1.2.3", "unknown": "1.2.4", "short": "1.2.5"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    """The API with toy models of two modalities."""
    make_toy_model(tmp_path / "models")
    make_toy_model(tmp_path / "models", name="t2w", modality="T2w")
    with live_api(tmp_path) as api:
        yield api


def series(name: str, n_slices: int = 6, **attributes: Any) -> list[bytes]:
    return encoded(make_series(n_slices, SeriesInstanceUID=UIDS[name], **attributes))


def study() -> list[bytes]:
    return [
        *series("T1w", **T1W),
        *series("T2w", **T2W),
        *series("dwi", **DWI),
        *series("unknown"),
        *series("short", 2, **T1W),
    ]


def post(api: LiveApi, images: list[bytes], **params: str) -> Any:
    return api.client.post("/v1/jobs", content=zipped_images(images), params=params)


def test_inspecting_says_what_each_series_is_and_which_model_would_score_it(api: LiveApi) -> None:
    volumes = api.client.post("/v1/inspect", content=zipped_images(study())).json()["volumes"]

    found = {v["series_uid"]: (v["modality"]["name"], v["model"], v["code"]) for v in volumes}
    assert found == {
        UIDS["T1w"]: ("T1w", "t1w/1", None),
        UIDS["T2w"]: ("T2w", "t2w/1", None),
        UIDS["dwi"]: ("dwi", None, "no-model-for-modality"),
        UIDS["unknown"]: (None, None, None),
        UIDS["short"]: (None, None, "too-few-slices"),
    }
    assert volumes[0]["modality"] == {
        "name": "T1w",
        "source": "header",
        "reason": "spin echo, TR 600 ms, TE 12 ms",
        "likely": None,
    }


def test_a_series_goes_to_the_model_of_its_modality(api: LiveApi) -> None:
    view = post(api, series("T2w", **T2W)).json()

    assert (view["model"]["name"], view["modality"]["name"]) == ("t2w", "T2w")
    assert (view["modality"]["source"], view["params"]["model"]) == ("header", None)


def test_a_series_without_a_model_is_refused_with_the_way_round_it(api: LiveApi) -> None:
    response = post(api, series("dwi", **DWI))

    check_refused(api, response, 422, "no-model-for-modality")
    for part in ("T1w, T2w", "dwi by its header", "b-value 1000", "option modality"):
        assert part in response.json()["detail"]


def test_what_the_client_says_a_scan_is_wins(api: LiveApi) -> None:
    view = post(api, series("dwi", **DWI), modality="T2w").json()

    assert (view["model"]["name"], view["modality"]["source"]) == ("t2w", "given")
    assert "dwi" in view["modality"]["reason"]


def test_a_model_that_is_asked_for_scores_whatever_the_scan_is(api: LiveApi) -> None:
    view = post(api, series("dwi", **DWI), model="t1w").json()

    assert (view["model"]["name"], view["modality"]["name"]) == ("t1w", "dwi")


def test_of_a_nifti_the_model_is_not_known_yet(api: LiveApi, scan: bytes) -> None:
    view = api.client.post("/v1/jobs", content=scan).json()

    assert view["model"] is None
    assert (view["modality"]["name"], view["modality"]["source"]) == (None, None)
    assert api.client.get("/v1/jobs").json()["jobs"][0]["model"] is None
    (volume,) = api.client.post("/v1/inspect", content=scan).json()["volumes"]
    assert (volume["modality"]["name"], volume["model"], volume["code"]) == (None, None, None)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"modality": "FLAIR"}, "no-model-for-modality"),
        ({"modality": "PDw"}, "invalid-params"),
        ({"modality": "T2w", "version": "7"}, "unknown-model"),
        ({"version": "7"}, "unknown-model"),
        ({"preset": "parity", "severities": "0.5"}, "invalid-params"),
    ],
)
def test_options_that_no_model_takes_are_refused(
    api: LiveApi, scan: bytes, params: dict[str, str], code: str
) -> None:
    check_refused(api, api.client.post("/v1/jobs", content=scan, params=params), 422, code)


def test_several_volumes_are_refused_with_the_model_of_each(api: LiveApi) -> None:
    response = post(api, study())

    check_refused(api, response, 422, "multiple-volumes")
    problem = response.json()
    assert {each["series_uid"]: each.get("model") for each in problem["candidates"]} == {
        UIDS["T1w"]: "t1w/1",
        UIDS["T2w"]: "t2w/1",
        UIDS["dwi"]: None,
        UIDS["unknown"]: None,
        UIDS["short"]: None,
    }
    assert "/v1/studies" in problem["detail"]


def as_form(images: list[bytes]) -> dict[str, Any]:
    return {"files": [("file", image) for image in images], "data": {"params": '{"labels": {"a": "b"}}'}}


def as_body(images: list[bytes]) -> dict[str, Any]:
    return {"content": zipped_images(images)}


@pytest.mark.parametrize("body", [as_form, as_body])
def test_a_study_becomes_a_job_for_each_series_that_can_be_scored(api: LiveApi, body: Any) -> None:
    response = api.client.post("/v1/studies", **body(study()))

    facts = response.json()
    assert response.status_code == 202
    assert int(response.headers["Retry-After"]) >= 1
    assert [(j["params"]["series_uid"], j["model"] and j["model"]["name"]) for j in facts["jobs"]] == [
        (UIDS["T1w"], "t1w"),
        (UIDS["T2w"], "t2w"),
        (UIDS["unknown"], None),
    ]
    assert [(each["series_uid"], each["code"]) for each in facts["left_out"]] == [
        (UIDS["dwi"], "no-model-for-modality"),
        (UIDS["short"], "too-few-slices"),
    ]
    ids = [job["id"] for job in facts["jobs"]]
    assert ids == sorted(ids) == api.queue.job_ids == api.jobs.waiting()
    assert 'disyre_jobs_total{reason="",state="queued"} 3.0' in api.client.get("/metrics").text


def test_deleting_a_job_of_a_study_harms_no_other(api: LiveApi) -> None:
    ids = [job["id"] for job in api.client.post("/v1/studies", content=zipped_images(study())).json()["jobs"]]
    before = api.artifacts.input_file(ids[0], "000001").read_bytes()

    for job_id in ids[1:]:
        assert api.client.delete(f"/v1/jobs/{job_id}").status_code == 204

    assert api.artifacts.input_file(ids[0], "000001").read_bytes() == before


def test_a_study_of_which_nothing_can_be_scored_is_refused_with_all_reasons(api: LiveApi) -> None:
    response = api.client.post(
        "/v1/studies", content=zipped_images([*series("dwi", **DWI), *series("short", 2)])
    )

    check_refused(api, response, 422, "nothing-to-score")
    assert [(each["code"], each["reason"]) for each in response.json()["candidates"]] == [
        ("no-model-for-modality", "no model for dwi is installed"),
        ("too-few-slices", "expected at least 4 slices of one volume, got 2"),
    ]
    assert response.json()["detail"].startswith("none of the 2 series of this study can be scored")


def test_a_study_of_one_series_that_cannot_be_scored_says_why(api: LiveApi) -> None:
    response = api.client.post("/v1/studies", content=zipped_images(series("dwi", **DWI)))

    check_refused(api, response, 422, "nothing-to-score")
    assert response.json()["detail"] == (
        "the only series of this study cannot be scored: no model for dwi is installed"
    )


@pytest.mark.parametrize("said", [None, "", "x"], ids=["none", "empty", "no UID"])
def test_a_series_without_a_uid_is_scored_wherever_it_is_sent(api: LiveApi, said: str | None) -> None:
    upload = zipped_images(encoded(make_series(6, SeriesInstanceUID=said, **T1W)))

    listed = api.client.post("/v1/inspect", content=upload).json()
    study = api.client.post("/v1/studies", content=upload).json()
    submitted = api.client.post("/v1/jobs", content=upload)

    (volume,), (job,) = listed["volumes"], study["jobs"]
    assert (volume["code"], volume["model"], volume["n"]) == (None, "t1w/1", 6)
    assert job["params"]["series_uid"] == volume["series_uid"]
    assert submitted.status_code == 202
    for facts in (listed, study):
        assert facts["warnings"] == [
            "6 DICOM files without a usable SeriesInstanceUID: those of a study were taken for one series, "
            "under a series_uid that is made up"
        ]


def test_a_series_without_a_uid_can_be_picked_beside_another(api: LiveApi) -> None:
    nameless = encoded(make_series(6, SeriesInstanceUID=None, **T1W))
    upload = zipped_images([*nameless, *series("T2w", **T2W)])

    jobs = api.client.post("/v1/studies", content=upload).json()["jobs"]
    made_up = jobs[0]["params"]["series_uid"]
    picked = api.client.post("/v1/jobs", content=upload, params={"series_uid": made_up})

    assert [job["model"]["name"] for job in jobs] == ["t1w", "t2w"]
    assert (picked.status_code, picked.json()["model"]["name"]) == (202, "t1w")


def test_what_headers_say_of_slices_that_did_not_come_is_a_warning(api: LiveApi) -> None:
    images = series("T1w", gap_mm=6.0, ImagesInAcquisition=10, SpacingBetweenSlices=3.0, **T1W)

    for path in ("/v1/inspect", "/v1/studies"):
        warnings = api.client.post(path, content=zipped_images(images)).json()["warnings"]

        assert [warning.partition(":")[0] for warning in warnings] == [
            "the headers say that the acquisition has 10 images (ImagesInAcquisition), and 6 came",
            "the slices are 6.00 mm apart, where the headers say 3.00 mm (SpacingBetweenSlices)",
        ]


def test_slices_that_differ_at_the_end_of_a_stack_are_left_out_nowhere(api: LiveApi) -> None:
    images = make_series(40, SeriesInstanceUID=UIDS["T1w"], **T1W)
    for image in images[36:]:
        image.EchoTime = 80
    upload = zipped_images(encoded(images))

    listed = api.client.post("/v1/inspect", content=upload).json()
    refused = api.client.post("/v1/jobs", content=upload)
    study = api.client.post("/v1/studies", content=upload)

    assert [(each["n"], each["code"]) for each in listed["volumes"]] == [
        (36, "irregular-slices"),
        (4, "irregular-slices"),
    ]
    check_refused(api, refused, 422, "irregular-slices")
    check_refused(api, study, 422, "nothing-to-score")
    reason = "where a stack of 36 images goes on differ from it in echo time (80 ms against 12 ms)"
    for words in (listed["volumes"][0]["reason"], refused.json()["detail"], study.json()["detail"]):
        assert reason in words


def in_two_series(names: str) -> bytes:
    """One stack of T1w whose images are said to be of two series, by a letter each."""
    images = make_series(len(names), **T1W)
    for image, name in zip(images, names, strict=True):
        image.SeriesInstanceUID = f"1.2.{1 + 'ab'.index(name)}"
    return zipped_images(encoded(images))


@pytest.mark.parametrize(
    ("names", "words"),
    [("a" * 8 + "b" * 8, "goes on in another series"), ("ab" * 8, "has slices between these in another")],
    ids=["halves", "alternate"],
)
def test_a_stack_in_two_series_is_the_same_everywhere_and_scored_nowhere(
    api: LiveApi, names: str, words: str
) -> None:
    upload = in_two_series(names)

    listed = api.client.post("/v1/inspect", content=upload).json()["volumes"]
    refused = api.client.post("/v1/jobs", content=upload)
    study = api.client.post("/v1/studies", content=upload)

    check_refused(api, refused, 422, "irregular-slices")
    check_refused(api, study, 422, "nothing-to-score")
    assert "pick it with the option series_uid" in refused.json()["detail"]
    for candidates in (listed, refused.json()["candidates"], study.json()["candidates"]):
        assert [each["code"] for each in candidates] == ["irregular-slices"] * 2
        assert all(words in each["reason"] for each in candidates)


def test_a_part_of_a_stack_is_scored_if_it_is_picked_on_purpose(api: LiveApi) -> None:
    upload = in_two_series("a" * 8 + "b" * 8)

    listed = api.client.post("/v1/inspect", content=upload, params={"series_uid": "1.2.2"}).json()
    taken = api.client.post("/v1/jobs", content=upload, params={"series_uid": "1.2.2"})

    assert [each["code"] for each in listed["volumes"]] == [None]
    assert [warning[:70] for warning in listed["warnings"]] == [
        "the stack of this series, with 8 images, goes on in another series of "
    ]
    assert taken.status_code == 202


def test_what_is_left_out_of_a_study_says_what_it_is(api: LiveApi) -> None:
    planes = [
        image
        for plane in (AXIAL, CORONAL, SAGITTAL)
        for image in series("short", 5, orientation=plane, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    ]
    times = [image for k in range(3) for image in series("dwi", TemporalPositionIdentifier=k, **DWI)]
    upload = zipped_images([*planes, *series("T1w", 16, **T1W), *times])

    study = api.client.post("/v1/studies", content=upload).json()

    assert [job["params"]["series_uid"] for job in study["jobs"]] == [UIDS["T1w"]]
    assert [(each["n"], each["description"], each["code"]) for each in study["left_out"]] == [
        (
            15,
            "localizer: 5 axial images of 9 x 7; 5 coronal images of 9 x 7; 5 sagittal images of 9 x 7",
            "multiple-volumes",
        ),
        (18, "18 axial images of 9 x 7 in 3 volumes", "multiple-volumes"),
    ]
    localizer, dynamic = (each["reason"] for each in study["left_out"])
    assert localizer == "expected a scan, got a localizer (ImageType), which shows where scans are to lie"
    assert "with several, which differ in time (TemporalPosition); send" in dynamic
    assert study["left_out"][1]["modality"]["reason"] == "diffusion, b-value 1000 s/mm^2"


def test_a_series_over_time_that_does_not_say_its_times_has_the_reason_of_inspecting(api: LiveApi) -> None:
    times = [image for k in range(3) for image in series("unknown", RescaleIntercept=k)]
    upload = zipped_images([*series("T1w", 16, **T1W), *times])

    study = api.client.post("/v1/studies", content=upload).json()
    listed = api.client.post("/v1/inspect", content=upload).json()["volumes"]

    (dynamic,) = study["left_out"]
    assert [each for each in listed if each["code"] is not None] == [dynamic]
    assert "got 3 at each of 6 places, as in a series over time" in dynamic["reason"]


def test_series_of_a_study_that_are_described_alike_are_told_apart(api: LiveApi) -> None:
    runs = [image for name in ("short", "unknown") for image in series(name, 2, **T1W)]

    study = api.client.post("/v1/studies", content=zipped_images([*series("T1w", **T1W), *runs])).json()

    assert [each["description"].rpartition(", ")[2] for each in study["left_out"]] == [
        "number 1 of 2 such",
        "number 2 of 2 such",
    ]


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_localizer_has_one_code_and_reason_wherever_it_is_sent(api: LiveApi, n: int) -> None:
    planes = [
        image
        for plane in (AXIAL, CORONAL, SAGITTAL)
        for image in series("short", n, orientation=plane, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    ]
    upload = zipped_images([*planes, *series("T1w", 16, **T1W)])

    listed = api.client.post("/v1/inspect", content=upload).json()["volumes"]
    left_out = api.client.post("/v1/studies", content=upload).json()["left_out"]
    alone = api.client.post("/v1/jobs", content=zipped_images(planes))

    said = {(each["code"], each["reason"]) for each in (*listed[1:], *left_out)}
    assert len(listed) == 4
    assert said == {
        (
            "multiple-volumes",
            "expected a scan, got a localizer (ImageType), which shows where scans are to lie",
        )
    }
    assert (alone.status_code, alone.json()["code"]) == (422, "multiple-volumes")
    assert "they are localizers" in alone.json()["detail"]
    assert "alone" not in alone.json()["detail"]


def test_a_localizer_of_one_plane_is_called_that_everywhere(api: LiveApi) -> None:
    localizer = series("short", 3, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    upload = zipped_images([*localizer, *series("T1w", 16, **T1W)])

    listed = api.client.post("/v1/inspect", content=upload).json()["volumes"]
    left_out = api.client.post("/v1/studies", content=upload).json()["left_out"]

    assert [(each["code"], each["reason"][:38]) for each in (listed[1], left_out[0])] == [
        ("too-few-slices", "expected a scan, got a localizer (Imag")
    ] * 2


def test_a_localizer_is_left_out_however_many_images_it_has(api: LiveApi) -> None:
    planes = [
        image
        for plane in (AXIAL, CORONAL, SAGITTAL)
        for image in series("short", 5, orientation=plane, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    ]

    response = post(api, [*planes, *series("T1w", 16, **T1W)])

    assert (response.status_code, response.json()["modality"]["name"]) == (202, "T1w")


def test_the_one_series_that_can_be_scored_is_named(api: LiveApi) -> None:
    upload = [*series("T1w", 8, **T1W), *series("short", 3, **T2W)]

    refused = post(api, upload)

    check_refused(api, refused, 422, "multiple-volumes")
    assert (
        "only one can be scored, 8 axial images of 9 x 7, echo time 12 ms: the option series_uid picks it, "
        "and so does /v1/studies"
    ) in refused.json()["detail"]
    assert post(api, upload, series_uid=UIDS["T1w"]).status_code == 202


def test_of_series_of_which_none_can_be_scored_none_is_to_be_picked(api: LiveApi) -> None:
    refused = post(api, [*series("short", 3, **T1W), *series("unknown", 3, **T2W)])

    check_refused(api, refused, 422, "multiple-volumes")
    assert "none of them can be scored as it is" in refused.json()["detail"]


@pytest.mark.parametrize("name", ["model", "version", "modality", "series_uid", "volume_index"])
def test_an_option_of_one_series_is_none_of_a_study(api: LiveApi, name: str) -> None:
    response = api.client.post("/v1/studies", content=zipped_images(study()), params={name: "1"})

    check_refused(api, response, 422, "invalid-params")
    assert f"got {name};" in response.json()["detail"]


def test_a_study_is_dicom_without_a_mask(api: LiveApi, scan: bytes, mask: bytes) -> None:
    images = [("file", image) for image in study()]

    check_refused(api, api.client.post("/v1/studies", content=scan), 415, "not-an-image")
    check_refused(api, api.client.post("/v1/studies", content=zipped_images([scan])), 415, "not-an-image")
    with_mask = api.client.post("/v1/studies", files=[*images, ("mask", mask)])
    check_refused(api, with_mask, 422, "mask-mismatch")


def test_a_study_for_which_the_queue_has_no_room_is_refused_whole(tmp_path: Path) -> None:
    with live_api(tmp_path, max_queued_jobs=1) as api:
        images = [*series("T1w", **T1W), *series("unknown")]

        check_refused(api, api.client.post("/v1/studies", content=zipped_images(images)), 503, "queue-full")


class FullJobStore(InMemoryJobStore):
    """A broker that is full: it can be read, and takes nothing."""

    def add(self, *jobs: Job) -> None:
        """Raise Unavailable."""
        raise Unavailable("the broker is full")


def test_a_study_that_cannot_be_stored_leaves_no_files(tmp_path: Path) -> None:
    with live_api(tmp_path, jobs=FullJobStore()) as api:
        images = [*series("T1w", **T1W), *series("unknown")]

        check_refused(api, api.client.post("/v1/studies", content=zipped_images(images)), 503, "unavailable")
