"""What is wrong with a field of a request is said in words for people, and repeats nothing but numbers."""

from typing import Any

import pytest

from tests.builders import JOB_ID
from tests.service.live_api import LiveApi

OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "too small": ({"volume_index": -1}, "volume_index: expected a number of at least 0, got -1"),
    "no number": (
        {"volume_index": "CANARY"},
        "volume_index: expected a whole number, got text of 6 characters",
    ),
    "a fraction": ({"volume_index": 1.5}, "volume_index: expected a whole number, got 1.5"),
    "not above": ({"threshold": 0}, "threshold: expected a number above 0, got 0"),
    "no UID": (
        {"series_uid": "CANARY"},
        "series_uid: expected a DICOM UID (digits and dots, at most 64), got text of 6 characters",
    ),
    "no such option": (
        {"nonsense": "CANARY"},
        "nonsense: expected one of model, version, modality, mode, severities, preset, bias_correction, "
        "align, threshold, outputs, series_uid, volume_index, priority, retention_s, callback, export, "
        "labels, got a name that is none of them",
    ),
    "nearly an option": (
        {"Treshold": "CANARY"},
        "another option: did you mean threshold? expected one of threshold, model, version, modality, ",
    ),
    "two letters that are swapped": (
        {"modle": "CANARY"},
        "modle: did you mean model? expected one of model, version, modality, mode, ",
    ),
    "two that are none": (
        {"treshold": "1", "alined": "1"},
        "treshold: did you mean threshold? ",
    ),
    "an option that is none and says something": (
        {"CANARY^PHI": "1"},
        "another option: expected one of model, ",
    ),
    "another word": ({"mode": "CANARY"}, "mode: expected one of 'ensemble' or 'stepwise', got text of 6"),
    "no truth": ({"align": "CANARY"}, "align: expected true or false, got text of 6 characters"),
    "too high": ({"severities": "0.5,2"}, "severities.1: expected a number of at most 1, got 2"),
}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/inspect"])
@pytest.mark.parametrize(("params", "words"), OPTIONS.values(), ids=OPTIONS)
def test_an_option_that_is_wrong_is_explained(
    api: LiveApi, scan: bytes, path: str, params: dict[str, Any], words: str
) -> None:
    problem = api.client.post(path, content=scan, params=params).json()

    assert problem["code"] == "invalid-params"
    assert problem["detail"].startswith(words)
    assert "CANARY" not in problem["detail"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ('{"labels": {"CANARY": 1}}', "labels: expected text, got 1"),
        ('{"labels": {"": "CANARY"}}', "labels: expected names of at least one character, got an empty one"),
        ('{"labels": {"CANARY:a": "b"}}', "labels: expected names without colons"),
        ('{"labels": {"a": "CANARY\\u0000"}}', "labels: expected names and values without control"),
        ('{"labels": {"CANARY\\n": "b"}}', "labels: expected names and values without control"),
        ('{"labels": 7}', "labels: expected names with values, got 7"),
        ('{"severities": []}', "severities: expected at least 1 value, got 0 values"),
        ('{"severities": 0.5}', "severities: expected a list, got 0.5"),
        ('{"threshold": [1]}', "threshold: expected a number, got 1 value"),
        ('{"volume_index": true}', "volume_index: expected a number, got true"),
        ('{"retention_s": false}', "retention_s: expected a number, got false"),
        ('{"threshold": true}', "threshold: expected a number, got true"),
        ('{"severities": [0.5, true]}', "severities.1: expected a number, got true"),
        ('{"align": [true]}', "align: expected true or false, got 1 value"),
        ('{"model": true}', "model: expected text, got true"),
        ('{"labels": null}', "labels: expected names with values, got nothing"),
        ('{"labels": {"a": "' + "x" * 201 + '"}}', "expected at most 200 characters, got text of 201"),
    ],
)
def test_an_option_in_a_form_that_is_wrong_is_explained(
    api: LiveApi, scan: bytes, params: str, words: str
) -> None:
    problem = api.client.post("/v1/jobs", files={"file": scan}, data={"params": params}).json()

    assert problem["code"] == "invalid-params"
    assert words in problem["detail"]
    assert "CANARY" not in problem["detail"]


def test_of_a_study_only_options_that_fit_all_series_are_named(api: LiveApi, scan: bytes) -> None:
    problem = api.client.post("/v1/studies", content=scan, params={"alined": "1"}).json()

    assert problem["detail"] == (
        "alined: did you mean align? expected one of align, mode, severities, preset, bias_correction, "
        "threshold, outputs, priority, retention_s, callback, export, labels, got a name that is none of them"
    )


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/studies", "/v1/inspect"])
def test_a_request_without_a_body_is_told_what_was_expected(api: LiveApi, path: str) -> None:
    problem = api.client.post(path).json()

    assert problem["code"] == "empty-upload"
    assert problem["detail"] == (
        "expected a scan as the body, or a form with parts named 'file', got 0 bytes"
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "expected a number of at least 1, got 0"),
        ("limit=201", "expected a number of at most 200, got 201"),
        ("limit=x", "expected a whole number, got text of 1 character"),
        (
            "state=CANARY",
            "expected one of 'queued', 'running', 'canceling', 'succeeded', 'failed' or "
            "'canceled', got text of 6 characters",
        ),
        ("cursor=CANARY", "expected the next_cursor of another page"),
    ],
)
def test_a_field_of_a_query_that_is_wrong_is_explained(api: LiveApi, query: str, words: str) -> None:
    problem = api.client.get(f"/v1/jobs?{query}").json()

    assert problem["code"] == "invalid-request"
    assert words in problem["errors"][0]["detail"]
    assert problem["detail"] == f"{problem['errors'][0]['field']}: {problem['errors'][0]['detail']}"
    assert "CANARY" not in str(problem)


ONCE = "expected this parameter once, got it more than once"
ALL_FILTERS = (
    "expected one of state, model, label, series_uid, created_after, created_before, limit, cursor, "
    "got a name that is none of them"
)


@pytest.mark.parametrize(
    ("path", "field", "words"),
    [
        ("/v1/jobs?zzz=zzz", "query.zzz", ALL_FILTERS),
        ("/v1/jobs?limit=1&limit=2", "query.limit", ONCE),
        (f"/v1/jobs/{JOB_ID}?wait=1&wait=1", "query.wait", ONCE),
        (
            "/v1/jobs?limit=2&lim=CANARY",
            "query.lim",
            "did you mean limit? expected one of limit, state, model, label, series_uid, created_after, "
            "created_before, cursor, got a name that is none of them",
        ),
        (
            "/v1/jobs?CANARY%5EPHI=1",
            "query.another parameter",
            ALL_FILTERS,
        ),
        (
            f"/v1/jobs/{JOB_ID}?state=CANARY",
            "query.state",
            "expected one of wait, got a name that is none of them",
        ),
        (
            f"/v1/jobs/{JOB_ID}/results/summary.json?wait=CANARY",
            "query.wait",
            "expected no parameters in the query, got one",
        ),
        ("/v1/queue?limit=CANARY", "query.limit", "expected no parameters in the query, got one"),
        ("/v1/models?name=CANARY", "query.name", "expected no parameters in the query, got one"),
    ],
)
def test_a_parameter_that_there_is_not_is_refused_with_those_that_there_are(
    api: LiveApi, path: str, field: str, words: str
) -> None:
    response = api.client.get(path)

    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid-request")
    assert problem["errors"] == [{"field": field, "detail": words}]
    assert "CANARY" not in str(problem)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_machines_that_ask_for_health_may_add_parameters_of_their_own(api: LiveApi, path: str) -> None:
    assert api.client.get(f"{path}?no-cache=1").status_code == 200
