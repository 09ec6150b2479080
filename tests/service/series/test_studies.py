"""Whole studies: a job for each series that can be scored, and a reason for every other."""

from pathlib import Path
from typing import Any

import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.errors import Unavailable
from disyre.intake.upload import file_name
from disyre.job import Job
from tests.dicom_phantom import encoded, make_series
from tests.service.live_api import LiveApi, live_api
from tests.service.refused import check_refused
from tests.service.series.made_series import DWI, T1W, T2W, UIDS, in_three_planes, series, study
from tests.zip_files import zipped_images


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


def names_of(images: list[bytes], *chosen: list[bytes]) -> set[str]:
    wanted = [image for each in chosen for image in each]
    return {file_name(number) for number, image in enumerate(images, start=1) if image in wanted}


def stored(api: LiveApi) -> list[tuple[set[str], set[str]]]:
    """The names of files in the record of each job, and on the disk."""
    found = []
    for job_id in api.jobs.waiting():
        files = api.jobs.get(job_id).input.files
        on_disk = api.artifacts.input_file(job_id, files[0].name).parent
        found.append(({file.name for file in files}, {path.name for path in on_disk.iterdir()}))
    return found


def test_each_job_of_a_study_has_the_files_of_its_series_and_those_that_say_of_none(api: LiveApi) -> None:
    t1w, t2w, dwi = series("T1w", **T1W), series("T2w", **T2W), series("dwi", **DWI)
    cut, note = t1w[0][:200], b"a note"
    images = [image for three in zip(t1w, dwi, t2w, strict=True) for image in three] + [cut, note]

    study = api.client.post("/v1/studies", **as_form(images))

    assert study.status_code == 202
    expected = [names_of(images, each, [cut, note]) for each in (t1w, t2w)]
    assert stored(api) == [(names, names) for names in expected]
    assert [job["input"]["n_files"] for job in study.json()["jobs"]] == [8, 8]


def test_a_job_of_a_study_has_the_series_beside_it_that_may_hold_the_rest_of_the_head(api: LiveApi) -> None:
    low, far = series("T1w", **T1W), series("unknown", origin=(-20.0, 10.0, 90.0), **T1W)
    others = series("T2w", shape=(12, 7), **T2W)
    images = [*low, *far, *others]

    response = api.client.post("/v1/studies", **as_form(images))

    both = names_of(images, low, far)
    assert [names for names, _ in stored(api)] == [both, both, names_of(images, others)]
    said = [job["input"]["warnings"] for job in response.json()["jobs"]]
    assert [[warning.split(" covers")[0] for warning in each] for each in said] == [
        ["a series of 6 images"],
        ["a series of 6 images"],
        [],
    ]
    assert response.json()["warnings"] == []


def test_an_odd_series_does_not_give_all_jobs_of_a_study_the_files_of_all(api: LiveApi) -> None:
    scan, again = series("T1w", **T1W), series("unknown", **T1W)
    odd = series("short", 3, origin=(-20.0, 10.0, 90.0), **T1W)
    images = [*scan, *again, *odd]

    response = api.client.post("/v1/studies", **as_form(images))

    expected = [names_of(images, each, odd) for each in (scan, again)]
    assert stored(api) == [(names, names) for names in expected]
    for job in response.json()["jobs"]:
        assert "with another that is like it (3 images)" in job["input"]["warnings"][0]


GAPS = "the slices are 6.00 mm apart, where the headers say 3.00 mm (SpacingBetweenSlices)"


def told_of_gaps(warnings: list[str]) -> list[str]:
    return [warning.partition(":")[0] for warning in warnings]


@pytest.mark.parametrize("body", [as_form, as_body])
def test_each_job_of_a_study_says_at_once_what_is_odd_about_its_own_series(api: LiveApi, body: Any) -> None:
    gaps: dict[str, Any] = {"gap_mm": 6.0, "SpacingBetweenSlices": 3.0}
    t1w, t2w = series("T1w", **T1W, **gaps), series("T2w", shape=(12, 7), **T2W)

    study = api.client.post("/v1/studies", **body([*t1w, *t2w, b"a note"])).json()

    assert [told_of_gaps(job["input"]["warnings"]) for job in study["jobs"]] == [[GAPS], []]
    assert study["warnings"][:1] == ["1 file left out, as not DICOM"]
    assert not any(GAPS in warning for warning in study["warnings"])
    alone = api.client.post("/v1/jobs", **body(t1w)).json()
    assert alone["input"]["warnings"] == study["jobs"][0]["input"]["warnings"]


@pytest.mark.parametrize("body", [as_form, as_body])
def test_what_is_odd_about_a_series_that_is_left_out_of_a_study_names_it(api: LiveApi, body: Any) -> None:
    gaps: dict[str, Any] = {"gap_mm": 6.0, "SpacingBetweenSlices": 3.0}
    images = [*series("T1w", **T1W), *series("dwi", shape=(12, 7), **DWI, **gaps)]

    study = api.client.post("/v1/studies", **body(images)).json()

    assert [job["input"]["warnings"] for job in study["jobs"]] == [[]]
    assert [each["series_uid"] for each in study["left_out"]] == [UIDS["dwi"]]
    assert [warning[: len(UIDS["dwi"]) + 9] for warning in study["warnings"]] == [f"series {UIDS['dwi']}: "]
    assert GAPS in study["warnings"][0]


def test_a_study_that_is_sent_again_with_its_key_says_the_same_of_each_series(api: LiveApi) -> None:
    upload = zipped_images(series("T1w", gap_mm=6.0, SpacingBetweenSlices=3.0, **T1W))

    first, again = (
        api.client.post("/v1/studies", content=upload, headers={"Idempotency-Key": "a"}).json()
        for _ in range(2)
    )

    assert told_of_gaps(again["jobs"][0]["input"]["warnings"]) == [GAPS]
    assert (again["jobs"][0]["input"], again["warnings"]) == (first["jobs"][0]["input"], first["warnings"])


@pytest.mark.parametrize("uid", ["T1w", "T2w"])
def test_images_without_a_patient_are_told_of_to_the_job_of_their_series_alone(
    api: LiveApi, uid: str
) -> None:
    silent = make_series(6, SeriesInstanceUID=UIDS["T1w"], PatientID="1", **T1W)
    silent[2].PatientID = ""
    upload = zipped_images([*encoded(silent), *series("T2w", shape=(12, 7), PatientID="1", **T2W)])

    jobs = api.client.post("/v1/studies", content=upload).json()["jobs"]
    picked = api.client.post("/v1/jobs", content=upload, params={"series_uid": UIDS[uid]}).json()

    said = {job["params"]["series_uid"]: job["input"]["warnings"] for job in [*jobs, picked]}
    assert said[UIDS["T2w"]] == []
    assert [warning.partition(" that")[0] for warning in said[UIDS["T1w"]]] == [
        "1 image does not state the PatientID"
    ]


def test_a_study_whose_jobs_would_have_very_many_files_is_refused(
    api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.study._MOST_FILES", 11)

    response = api.client.post("/v1/studies", **as_form([*series("T1w", **T1W), *series("T2w", **T2W)]))

    check_refused(api, response, 413, "too-large")
    assert "got 2 jobs with 12: send it as a zip" in response.json()["detail"]


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


def test_what_is_left_out_of_a_study_says_what_it_is(api: LiveApi) -> None:
    planes = in_three_planes(5)
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


@pytest.mark.parametrize("name", ["model", "version", "modality", "series_uid", "volume_index"])
def test_an_option_of_one_series_is_none_of_a_study(api: LiveApi, name: str) -> None:
    response = api.client.post("/v1/studies", content=zipped_images(study()), params={name: "1"})

    check_refused(api, response, 422, "invalid-params")
    assert f"got {name};" in response.json()["detail"]


def test_a_study_is_dicom_without_a_mask(api: LiveApi, scan: bytes, mask: bytes) -> None:
    images = [("file", image) for image in study()]

    alone = api.client.post("/v1/studies", content=scan)
    zipped = api.client.post("/v1/studies", content=zipped_images([scan]))
    with_mask = api.client.post("/v1/studies", files=[*images, ("mask", mask)])

    check_refused(api, alone, 415, "not-an-image")
    check_refused(api, zipped, 415, "not-an-image")
    check_refused(api, with_mask, 422, "mask-mismatch")
    for response in (alone, zipped):
        assert "the DICOM files of a study, got NIfTI" in response.json()["detail"]
    assert "no mask with a study" in with_mask.json()["detail"]


def test_a_study_for_which_the_queue_has_no_room_is_refused_whole(tmp_path: Path) -> None:
    with live_api(tmp_path, max_queued_jobs=1) as api:
        upload = zipped_images([*series("T1w", **T1W), *series("unknown")])

        check_refused(api, api.client.post("/v1/studies", content=upload), 503, "queue-full")
        assert (api.queue.job_ids, api.jobs.waiting()) == ([], [])


class FullJobStore(InMemoryJobStore):
    """A broker that is full: it can be read, and takes nothing."""

    def add(self, *jobs: Job, **options: Any) -> None:
        """Raise Unavailable."""
        raise Unavailable("the broker is full")


def test_a_study_that_cannot_be_stored_leaves_no_files(tmp_path: Path) -> None:
    with live_api(tmp_path, jobs=FullJobStore()) as api:
        upload = zipped_images([*series("T1w", **T1W), *series("unknown")])

        check_refused(api, api.client.post("/v1/studies", content=upload), 503, "unavailable")
        assert api.left_behind() == []
