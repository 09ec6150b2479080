"""Documents as the client reads them."""

import pytest
from pydantic import BaseModel

from disyre.adapters.worker_registry import HeldModel, WorkerInfo
from disyre.candidate import Candidate
from disyre.client import documents, job_documents
from disyre.job_params import JobParams
from disyre.modality import Guess
from disyre.summary_record import RegionSummary
from service import model_schemas, problems, schemas, state_schemas
from tests.disyre.client.scripted_api import document, scripted_api
from tests.disyre.test_summary import make_summary

SAME: dict[type[documents.Document], type[BaseModel]] = {
    job_documents.JobDocument: schemas.JobView,
    documents.ModelRefDocument: schemas.ModelRef,
    documents.ModalityDocument: Guess,
    documents.InputDocument: schemas.InputView,
    documents.ProgressDocument: schemas.ProgressView,
    job_documents.LinksDocument: schemas.JobLinks,
    documents.ProblemDocument: problems.Problem,
    documents.FieldErrorDocument: problems.FieldError,
    documents.CandidateDocument: Candidate,
    job_documents.ParamsDocument: JobParams,
    job_documents.RegionDocument: RegionSummary,
    job_documents.EventDocument: schemas.JobEventView,
    job_documents.StudyDocument: schemas.StudyView,
    job_documents.JobPageDocument: schemas.JobPage,
    documents.ResultDocument: schemas.ResultView,
    documents.ResultsDocument: schemas.ResultsView,
    documents.InspectionDocument: schemas.InspectionView,
    documents.ModelDocument: model_schemas.ModelView,
    documents.ModelListDocument: model_schemas.ModelList,
    documents.LeftOutDocument: model_schemas.LeftOutView,
    documents.HeldModelDocument: HeldModel,
    documents.QueueDocument: state_schemas.QueueView,
    documents.WorkerDocument: WorkerInfo,
}


@pytest.mark.parametrize("kind", SAME, ids=lambda kind: kind.__name__)
def test_the_client_expects_no_field_that_the_api_does_not_send(kind: type[documents.Document]) -> None:
    assert kind.model_fields.keys() <= SAME[kind].model_fields.keys()


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
