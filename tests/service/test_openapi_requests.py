"""What the document says of requests: who may make them, with which options and bodies."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from disyre.errors import InvalidParams
from disyre.job_options import read_options
from service.given_options import query_options
from tests.service.key_files import write_keys
from tests.service.live_api import LiveApi, live_api

UPLOADS = ("/v1/jobs", "/v1/studies", "/v1/inspect")
GOOD_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"model": "t1w", "version": "5", "modality": None},
    {"severities": [0.8, 0.2], "mode": "stepwise"},
    {"preset": "parity", "severities": None, "align": False},
    {"callback": "https://pacs.example.org:8443/hook?job=1"},
    {"callback": {"url": "http://127.0.0.1/hook"}},
    {"labels": {"cohort": "a:b", "empty": ""}, "retention_s": 60},
)
BAD_OPTIONS: tuple[dict[str, Any], ...] = (
    {"colour": "red"},
    {"severities": []},
    {"severities": [0]},
    {"severities": [1.5]},
    {"threshold": 0},
    {"series_uid": "first"},
    {"volume_index": -1},
    {"retention_s": 59},
    {"callback": {"href": "https://pacs.example.org"}},
    {"labels": {"": "a"}},
    {"labels": {"a:b": "c"}},
    {"labels": {"a": "b\n"}},
    {"labels": {str(n): "a" for n in range(21)}},
)

OPTIONS = [(each, True) for each in GOOD_OPTIONS] + [(each, False) for each in BAD_OPTIONS]
GOOD_SEVERITIES = ("1", "1.0", ".5", "0.8,0.2", "1e-05", "2.5E-3,0.0001", ",".join(["0.5"] * 100))
BAD_SEVERITIES = ("", "0", "0.0", "1.5", "0.5,", ",", "half", "-0.5", ",".join(["0.5"] * 101))


def document_of(api: LiveApi) -> dict[str, Any]:
    found: dict[str, Any] = api.client.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of a server without keys."""
    with live_api(tmp_path_factory.mktemp("api")) as api:
        return document_of(api)


def secured(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls that need a key where keys are asked for."""
    return [
        operation
        for path in document["paths"].values()
        for operation in path.values()
        if "security" in operation
    ]


def validator_of(schema: dict[str, Any], document: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def is_read(options: dict[str, Any]) -> bool:
    try:
        read_options(options)
    except InvalidParams:
        return False
    return True


def test_a_server_that_asks_for_no_key_says_that_none_is_needed(document: dict[str, Any]) -> None:
    assert len(secured(document)) > 15
    assert all({} in operation["security"] for operation in secured(document))


def test_a_server_with_keys_says_that_one_is_needed(tmp_path: Path) -> None:
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path)) as api:
        document = document_of(api)

    assert len(secured(document)) > 15
    assert not any({} in operation["security"] for operation in secured(document))
    assert "token" not in document["components"]["securitySchemes"]["bearer"]["description"]


def test_a_server_that_takes_tokens_says_so(tmp_path: Path) -> None:
    keys = "https://id.example.org/keys"
    with live_api(
        tmp_path, oidc_issuer="https://id.example.org", oidc_audience="disyre", oidc_keys_url=keys
    ) as api:
        document = document_of(api)

    assert not any({} in operation["security"] for operation in secured(document))
    assert "token" in document["components"]["securitySchemes"]["bearer"]["description"]


def test_the_document_says_for_how_long_this_server_keeps_jobs(tmp_path: Path) -> None:
    with live_api(tmp_path, retention_s=3600) as api:
        document = document_of(api)

    in_json = document["components"]["schemas"]["JobOptions"]["properties"]["retention_s"]
    (in_query,) = (
        each for each in document["paths"]["/v1/jobs"]["post"]["parameters"] if each["name"] == "retention_s"
    )
    assert in_query["schema"]["maximum"] == in_json["anyOf"][0]["maximum"] == 3600


@pytest.mark.parametrize(("options", "is_good"), OPTIONS)
def test_options_fit_the_document_if_they_are_taken(
    options: dict[str, Any], is_good: bool, document: dict[str, Any]
) -> None:
    validator = validator_of({"$ref": "#/components/schemas/JobOptions"}, document)

    assert (validator.is_valid(options), is_read(options)) == (is_good, is_good)


def test_a_preset_and_what_it_excludes_do_not_fit_together(document: dict[str, Any]) -> None:
    validator = validator_of({"$ref": "#/components/schemas/JobOptions"}, document)

    assert not validator.is_valid({"preset": "parity", "severities": [0.5]})
    assert not validator.is_valid({"preset": "parity", "align": True})
    assert validator.is_valid({"preset": None, "align": True})


@pytest.mark.parametrize("text", GOOD_SEVERITIES)
def test_severities_in_a_query_fit_the_document_if_they_are_taken(
    text: str, document: dict[str, Any]
) -> None:
    assert severities_of(document).is_valid(text)
    assert is_read(query_options([("severities", text)]))


@pytest.mark.parametrize("text", BAD_SEVERITIES)
def test_severities_in_a_query_do_not_fit_the_document_if_they_are_refused(
    text: str, document: dict[str, Any]
) -> None:
    assert not severities_of(document).is_valid(text)
    assert not is_read(query_options([("severities", text)]))


def severities_of(document: dict[str, Any]) -> jsonschema_rs.Validator:
    (found,) = (
        each for each in document["paths"]["/v1/jobs"]["post"]["parameters"] if each["name"] == "severities"
    )
    return validator_of(found["schema"], document)


def test_every_option_and_every_filter_has_an_example_that_goes_with_the_others(
    document: dict[str, Any],
) -> None:
    options = [each for each in document["paths"]["/v1/jobs"]["post"]["parameters"] if each["in"] == "query"]
    filters = [each for each in document["paths"]["/v1/jobs"]["get"]["parameters"] if each["in"] == "query"]

    shown = {each["name"]: each["example"] for each in options if "example" in each}
    assert {each["name"] for each in options} - shown.keys() == {"callback", "export", "preset"}
    assert is_read(query_options((name, str(value)) for name, value in shown.items()))
    for each in filters:
        for example in each["examples"].values():
            validator_of(each["schema"], document).validate(example["value"])


@pytest.mark.parametrize("path", UPLOADS)
def test_the_examples_of_a_form_fit_it_and_their_options_are_taken(
    path: str, document: dict[str, Any]
) -> None:
    form = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]
    params = form["schema"]["properties"]["params"]

    assert params["contentMediaType"] == "application/json"
    for example in form["examples"].values():
        validator_of(form["schema"], document).validate(example["value"])
        options = json.loads(example["value"].get("params", "{}"))
        validator_of(params["contentSchema"], document).validate(options)
        assert is_read(options)


def test_a_study_is_said_to_be_dicom_without_a_mask(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/studies"]["post"]["requestBody"]["content"]
    form = content["multipart/form-data"]["schema"]

    assert form["properties"].keys() == {"file", "params"}
    assert "NIfTI" not in json.dumps(content)
    assert "application/gzip" not in content
    options = document["components"]["schemas"]["StudyOptions"]["properties"]
    assert options.keys().isdisjoint({"model", "version", "modality", "series_uid", "volume_index"})


def test_the_summary_of_a_job_and_its_file_are_described_and_may_say_more(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    files = document["paths"]["/v1/jobs/{job_id}/results/{name}"]["get"]["responses"]["200"]["content"]

    assert schemas["JobView"]["properties"]["summary"]["anyOf"][0]["$ref"].endswith("/ShortSummary")
    assert files["application/json"]["schema"]["$ref"].endswith("/Summary")
    assert "additionalProperties" not in schemas["Summary"]
    assert "additionalProperties" not in schemas["RegionSummary"]
    assert {"peak", "centroid_mm"} <= schemas["RegionSummary"]["properties"].keys()
