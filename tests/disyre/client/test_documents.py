"""Documents as the client reads them."""

import inspect
from collections.abc import Iterator
from typing import Any, Final

from disyre.client import archive_documents, documents, job_documents, model_documents, queue_documents
from disyre.client.documents import Document
from disyre.job_params import JobParams
from tests.disyre.client.scripted_api import document, scripted_api
from tests.disyre.test_summary import make_summary
from tests.service.live_api import LiveApi

SAME: Final[dict[type[Document], str]] = {
    job_documents.JobDocument: "JobView",
    job_documents.TraceDocument: "Trace",
    documents.ModelRefDocument: "ModelRef",
    documents.ModalityDocument: "Guess",
    documents.InputDocument: "InputView",
    documents.ProgressDocument: "ProgressView",
    documents.TransitionDocument: "Transition",
    job_documents.LinksDocument: "JobLinks",
    documents.ProblemDocument: "Problem",
    documents.FieldErrorDocument: "FieldError",
    documents.CandidateDocument: "Candidate",
    job_documents.ParamsDocument: "JobParams",
    job_documents.SummaryDocument: "ShortSummary",
    job_documents.RegionDocument: "RegionSummary",
    job_documents.EventDocument: "JobEventView",
    job_documents.StudyDocument: "StudyView",
    job_documents.JobPageDocument: "JobPage",
    documents.ResultDocument: "ResultView",
    documents.ResultsDocument: "ResultsView",
    documents.InspectionDocument: "InspectionView",
    model_documents.ModelDocument: "ModelView",
    model_documents.GridDocument: "Grid",
    model_documents.WindowsDocument: "Windows",
    model_documents.EmphasisDocument: "Emphasis",
    model_documents.IntensityDocument: "IntensityRule",
    model_documents.ScanSettingsDocument: "ScanSettings",
    model_documents.HealthyBrainDocument: "HealthyBrain",
    model_documents.CalibrationDocument: "Calibration",
    model_documents.TrainingDataDocument: "TrainingData",
    model_documents.ModelListDocument: "ModelList",
    model_documents.LeftOutDocument: "LeftOutView",
    model_documents.HeldModelDocument: "HeldModel",
    queue_documents.QueueDocument: "QueueView",
    archive_documents.SentInstanceDocument: "SentInstance",
    archive_documents.ExportDocument: "ExportView",
    archive_documents.ExportsDocument: "ExportsView",
    archive_documents.HeldSeriesDocument: "SeriesView",
    archive_documents.HeldSeriesListDocument: "SeriesPage",
    queue_documents.WorkerDocument: "WorkerInfo",
}
NOT_READ: Final = {
    *("Liveness", "ServerLiveness", "Readiness", "ServerReadiness", "ModelReadiness"),  # of probes
    "Summary",  # of a file, which is downloaded as it is
}
"""Bodies for which the client has no method, or that it does not look into."""


def test_documents_have_the_fields_that_openapi_says_and_of_their_types(api: LiveApi) -> None:
    said = api.client.get("/openapi.json").json()["components"]["schemas"]

    for kind, name in SAME.items():
        own = kind.model_json_schema()
        assert shapes_of(own, own.get("$defs", {})) == shapes_of(said[name], said), kind


def shapes_of(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, object]:
    """The type of each field of an object."""
    return {name: shape_of(field, known) for name, field in schema["properties"].items()}


def shape_of(schema: dict[str, Any], known: dict[str, Any]) -> object:
    """The type of a field, by the names of OpenAPI, whatever its limits, and whether it may be null."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = known[name]
        return OURS.get(name, name) if "properties" in target else shape_of(target, known)
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    if kinds:
        (kind,) = {str(shape_of(each, known)): shape_of(each, known) for each in kinds}.values()
        return kind
    if schema.get("type") == "array":
        items = schema.get("items") or schema["prefixItems"][0]
        return ["array", shape_of(items, known)]
    if schema.get("type") == "object":
        return ["object", shape_of(schema["additionalProperties"], known)]
    return "date-time" if schema.get("format") == "date-time" else schema["type"]


OURS: Final = {kind.__name__: name for kind, name in SAME.items()}


def test_every_document_of_the_client_is_compared_and_every_body_of_the_api_has_one(api: LiveApi) -> None:
    ours = {
        kind
        for module in (archive_documents, documents, job_documents, model_documents, queue_documents)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Document) and kind is not Document
    }
    said = api.client.get("/openapi.json").json()

    assert ours == SAME.keys()
    assert set(bodies(said)) - NOT_READ <= set(SAME.values())


def bodies(said: dict[str, Any]) -> Iterator[str]:
    """The schemas of the bodies of all answers, by name."""
    for path in said["paths"].values():
        for operation in path.values():
            for answer in operation["responses"].values():
                for content in answer.get("content", {}).values():
                    if "$ref" in content.get("schema", {}):
                        yield content["schema"]["$ref"].rpartition("/")[2]


def test_what_a_newer_service_adds_is_kept_and_no_obstacle() -> None:
    newer = {"id": "a", "state": "resting", "mood": "good", "finished_at": "2026-01-01T00:00:00Z"}
    with scripted_api(document(newer)) as api, api.client() as client:
        job = client.wait("a")

    assert (job.state, job.is_finished, job.has_succeeded) == ("resting", True, False)
    assert job.model_dump(mode="json")["mood"] == "good"


def test_the_short_summary_of_a_job_is_read_whole_and_typed() -> None:
    sent = make_summary().short()

    found = job_documents.SummaryDocument.model_validate(sent)

    assert found.model_fields_set == job_documents.SummaryDocument.model_fields.keys() == sent.keys()
    assert not found.model_extra
    assert (found.anomaly_score, found.max, found.p99) == (sent["anomaly_score"], sent["max"], sent["p99"])
    assert found.regions[0].volume_ml == found.volume_above_threshold_ml == 1.0
    assert found.regions[0].centroid_mm == (-14.5, 22.5, 17.5)
    assert found.model_dump(mode="json") == sent


def test_every_option_of_a_job_is_read_and_typed() -> None:
    sent = JobParams(severities=(0.8, 0.2), labels={"cohort": "a"}, volume_index=1).model_dump(mode="json")

    asked = job_documents.ParamsDocument.model_validate(sent)

    assert asked.model_fields_set == sent.keys()
    assert not asked.model_extra
    assert (asked.severities, asked.labels, asked.volume_index) == ((0.8, 0.2), {"cohort": "a"}, 1)
    assert (asked.model, asked.priority) == (None, "normal")


def test_what_a_newer_service_says_of_options_and_results_is_no_obstacle() -> None:
    newer = {
        "id": "a",
        "state": "succeeded",
        "params": {"mode": "sideways", "speed": 2},
        "summary": {"anomaly_score": 0.1, "mood": "good", "regions": [{"volume_ml": 2, "shape": "round"}]},
    }
    with scripted_api(document(newer)) as api, api.client() as client:
        job = client.job("a")

    assert job.summary is not None
    assert (job.params.mode, job.params.model_extra) == ("sideways", {"speed": 2})
    assert (job.summary.p99, job.summary.model_extra) == (None, {"mood": "good"})
    assert job.summary.regions[0].model_extra == {"shape": "round"}
