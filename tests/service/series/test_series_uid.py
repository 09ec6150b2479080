"""Which series of an upload is scored: the UID that picks it, and the one that is made up."""

import pytest

from tests.dicom_phantom import encoded, make_series
from tests.service.live_api import LiveApi
from tests.service.refused import check_refused
from tests.service.series.made_series import T1W, T2W, UIDS, post, series
from tests.zip_files import zipped_images


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
