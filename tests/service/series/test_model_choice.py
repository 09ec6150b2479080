"""Recognised series over HTTP: what is said of them, and which model they go to."""

import pytest

from tests.service.live_api import LiveApi
from tests.service.refused import check_refused
from tests.service.series.made_series import DWI, T2W, UIDS, post, series, study
from tests.zip_files import zipped_images


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
    ("params", "code", "words"),
    [
        ({"modality": "FLAIR"}, "no-model-for-modality", "got FLAIR by the submission"),
        ({"modality": "PDw"}, "invalid-params", "modality: expected one of 'T1w', 'T2w' or 'FLAIR'"),
        (
            {"modality": "T2w", "version": "7"},
            "unknown-model",
            "the installed models (t1w version 1, t2w version 1)",
        ),
        ({"version": "7"}, "unknown-model", "the installed models (t1w version 1, t2w version 1)"),
        ({"preset": "parity", "severities": "0.5"}, "invalid-params", "either a preset or severities"),
    ],
)
def test_options_that_no_model_takes_are_refused(
    api: LiveApi, scan: bytes, params: dict[str, str], code: str, words: str
) -> None:
    response = api.client.post("/v1/jobs", content=scan, params=params)

    check_refused(api, response, 422, code)
    assert words in response.json()["detail"]


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
