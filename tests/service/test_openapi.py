"""The contract as a document: complete, honest about errors, and the same as `docs/api.md`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from disyre import INTENDED_USE, errors
from disyre.adapters.settings import SharedSettings
from disyre.job_params import JobParams
from service.problems import status_of
from service.settings import ServiceSettings
from tests.documented import Contract
from tests.service.live_api import LiveApi

NO_LIMITS = {
    *("webhook_hosts", "webhook_secret_file", "pacs_file", "export_to"),
    *("listen_host", "listen_port", "api_keys_file", "allowed_hosts"),
    *("oidc_issuer", "oidc_audience", "oidc_keys_url"),
}
DOCS = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.fixture
def document(api: LiveApi) -> dict[str, Any]:
    """The OpenAPI document, as a client gets it."""
    found: dict[str, Any] = api.client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_a_body_is_described_with_the_words_of_its_version_of_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    bodies = [
        content
        for _, _, operation in operations(document)
        for part in (operation.get("requestBody", {}), *operation["responses"].values())
        for content in part.get("content", {}).values()
    ]

    assert {word for content in bodies for word in content} == {"schema", "example", "examples"}


def test_the_document_says_what_the_service_is_not_for(document: dict[str, Any]) -> None:
    assert INTENDED_USE in document["info"]["description"]


def test_every_error_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    wrong = [
        (method, path, status)
        for method, path, operation in operations(document)
        for status, response in operation["responses"].items()
        if int(status) >= 400
        and method != "HEAD"
        and path not in ("/readyz", "/v2/health/ready")
        and not (path.startswith("/dicomweb/studies") and status == "409")  # says it of each image
        and list(response["content"]) != ["application/problem+json"]
    ]

    assert wrong == []


def test_every_response_says_its_headers_and_every_problem_shows_what_it_may_be(
    document: dict[str, Any],
) -> None:
    for _, _, operation in operations(document):
        for response in operation["responses"].values():
            assert response["headers"]["X-Request-ID"]["required"]
            for problem in (
                response.get("content", {}).get("application/problem+json", {}).get("examples", {})
            ):
                assert problem in response["description"]


def test_head_is_said_where_it_is_answered_and_has_no_body(api: LiveApi, document: dict[str, Any]) -> None:
    heads = {path: operation for method, path, operation in operations(document) if method == "HEAD"}

    assert set(heads) == {"/livez", "/readyz", "/v1/jobs/{job_id}/results/{name}"}
    for operation in heads.values():
        assert not any("content" in response for response in operation["responses"].values())
    for path in document["paths"].keys() - heads.keys():
        assert api.client.head(
            path.format_map(dict.fromkeys(("job_id", "name", "version", "study", "uid"), "1"))
        ).is_error


def test_every_operation_has_a_summary_of_its_own_and_not_the_name_of_its_function(
    document: dict[str, Any],
) -> None:
    summaries = [operation["summary"] for _, _, operation in operations(document)]

    assert len(set(summaries)) == len(summaries)
    assert [summary for summary in summaries if summary == summary.title()] == []


def test_every_kind_of_a_download_has_an_example(document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/jobs/{job_id}/results/{name}"]["get"]["responses"]

    assert all(content["examples"] for content in responses["200"]["content"].values())
    assert all(content["examples"] for content in responses["206"]["content"].values())


def test_every_response_says_in_words_of_its_own_what_it_is(document: dict[str, Any]) -> None:
    said = [
        (path, method, status, response["description"])
        for path, method, operation in operations(document)
        for status, response in operation["responses"].items()
        if "description" in response
    ]

    assert [each for each in said if each[-1] in ("", "Successful Response", "Service Unavailable")] == []


def test_every_parameter_has_an_example_but_for_those_that_do_not_go_with_the_others(
    document: dict[str, Any],
) -> None:
    without = {
        each["name"]
        for _, _, operation in operations(document)
        for each in operation["parameters"]
        if not each.keys() & {"example", "examples"}
    }

    assert without == {"preset", "callback", "export", "Content-Digest"}


def test_every_body_of_json_has_examples_that_fit_it(document: dict[str, Any]) -> None:
    contents = [
        content
        for _, _, operation in operations(document)
        for response in operation["responses"].values()
        for media_type, content in response.get("content", {}).items()
        if "$ref" in content.get("schema", {})
    ]

    assert len(contents) > 150
    for content in contents:
        validator = validator_of(content["schema"], document)
        for example in content["examples"].values():
            validator.validate(example["value"])


def test_the_example_of_a_header_fits_it(document: dict[str, Any]) -> None:
    headers = [
        header
        for _, _, operation in operations(document)
        for response in operation["responses"].values()
        for header in response["headers"].values()
    ]
    parameters = [
        each
        for _, _, operation in operations(document)
        for each in operation["parameters"]
        if "example" in each
    ]

    for each in (*headers, *parameters):
        validator_of(each["schema"], document).validate(each["example"])


def validator_of(schema: dict[str, Any], document: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def test_an_answer_that_is_not_documented_fails_a_test(document: dict[str, Any]) -> None:
    contract = Contract(document)
    good = {"X-Request-ID": "1", "X-Content-Type-Options": "nosniff"}
    wrong = [
        httpx.Response(418, headers=good, json={}),
        httpx.Response(200, headers={**good, "X-Other": "1"}, json={"alive": True}),
        httpx.Response(200, headers={"X-Content-Type-Options": "nosniff"}, json={"alive": True}),
        httpx.Response(200, headers={**good, "X-Content-Type-Options": "sniff"}, json={"alive": True}),
        httpx.Response(200, headers=good, json={"alive": "perhaps"}),
        httpx.Response(200, headers=good, text="alive"),
    ]

    def answer(response: httpx.Response) -> httpx.Response:
        response.request = httpx.Request("GET", "http://localhost/livez")
        return response

    contract.check(answer(httpx.Response(200, headers=good, json={"alive": True})))
    for response in wrong:
        with pytest.raises(AssertionError):
            contract.check(answer(response))


def test_every_field_and_every_parameter_says_what_it_is(document: dict[str, Any]) -> None:
    fields = [
        (name, field)
        for name, schema in document["components"]["schemas"].items()
        for field, said in schema.get("properties", {}).items()
        if not said.get("description")
    ]
    parameters = [
        (path, each["name"])
        for _, path, operation in operations(document)
        for each in operation["parameters"]
        if not each.get("description")
    ]

    assert (fields, parameters) == ([], [])


def test_the_options_of_a_query_are_those_of_a_job_but_for_labels(document: dict[str, Any]) -> None:
    said = {
        path: {
            each["name"] for each in document["paths"][path]["post"]["parameters"] if each["in"] == "query"
        }
        for path in ("/v1/jobs", "/v1/inspect", "/v1/studies")
    }

    options = set(JobParams.model_fields) - {"labels"}
    of_one_series = {"model", "version", "modality", "series_uid", "volume_index"}
    assert said == {
        "/v1/jobs": options,
        "/v1/inspect": options,
        "/v1/studies": options - of_one_series,
    }


def test_the_call_at_the_end_of_a_job_is_said_where_jobs_are_made(document: dict[str, Any]) -> None:
    for path in ("/v1/jobs", "/v1/studies"):
        (call,) = document["paths"][path]["post"]["callbacks"]["jobEnded"].values()
        headers = {each["name"] for each in call["post"]["parameters"]}
        body = call["post"]["requestBody"]["content"]["application/json"]
        validator_of(body["schema"], document).validate(body["example"])
        assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}
        assert body["example"]["type"] == "job.succeeded"
    assert "callbacks" not in document["paths"]["/v1/inspect"]["post"]


def test_a_method_that_there_is_not_is_said_for_all_addresses(document: dict[str, Any]) -> None:
    response = document["components"]["responses"]["MethodNotAllowed"]

    assert response["headers"]["Allow"]["required"]
    assert "MethodNotAllowed" in document["info"]["description"]
    (content,) = response["content"].values()
    validator_of(content["schema"], document).validate(content["example"])


def test_406_is_said_wherever_something_is_sent_but_to_probes(document: dict[str, Any]) -> None:
    probes = {"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"}

    without = {
        (method, path)
        for method, path, operation in operations(document)
        if "406" not in operation["responses"] and path not in probes
    }

    assert without == {("DELETE", "/v1/jobs/{job_id}")}


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert set(references(document)) <= known


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_docs_name_every_call(document: dict[str, Any]) -> None:
    missing = [
        f"{method} {path}" for method, path, _ in operations(document) if f"`{method} {path}`" not in DOCS
    ]

    assert missing == []


def error_types(root: type[errors.DisyreError]) -> Iterator[type[errors.DisyreError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__.startswith(("disyre.", "service.")):
            yield from error_types(child)


def test_the_docs_name_every_error_with_its_status() -> None:
    rows = [f"| {int(status_of(error))} | `{error.code}` |" for error in error_types(errors.DisyreError)]

    assert len(rows) > 30
    assert [row for row in rows if row not in DOCS] == []


def test_the_docs_name_every_option_of_a_submission(document: dict[str, Any]) -> None:
    options = [each["name"] for each in document["paths"]["/v1/jobs"]["post"]["parameters"]]

    assert [name for name in options if f"`{name}`" not in DOCS] == []


def test_the_docs_name_every_limit() -> None:
    limits = ServiceSettings.model_fields.keys() - SharedSettings.model_fields.keys() - NO_LIMITS

    assert [name for name in limits if f"`{name}`" not in DOCS] == []


def test_the_page_to_browse_the_api_needs_no_other_host(api: LiveApi) -> None:
    page = api.client.get("/docs")

    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "/openapi.json" in page.text
    assert any(link.endswith(".js") for link in links)
    for link in links:
        assert link.startswith("/docs/")
        assert api.client.get(link).status_code == 200


def test_pages_for_people_are_no_part_of_the_contract(document: dict[str, Any]) -> None:
    assert {"/", "/viewer", "/docs"}.isdisjoint(document["paths"])


def test_a_client_that_has_the_document_gets_it_once_and_packed_if_it_likes(api: LiveApi) -> None:
    plain = api.client.get("/openapi.json", headers={"Accept-Encoding": "identity"})
    packed = api.client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    known = api.client.get("/openapi.json", headers={"If-None-Match": plain.headers["ETag"]})
    head = api.client.head("/openapi.json", headers={"Accept-Encoding": "identity"})

    assert plain.json() == packed.json()
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < len(plain.content) / 5
    assert (known.status_code, known.content) == (304, b"")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(plain.content))
    for answer in (plain, packed, known, head):
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Vary"] == "Accept-Encoding"
