"""Documents as the client reads them."""

import pytest
from pydantic import BaseModel

from disyre.adapters.worker_registry import HeldModel, WorkerInfo
from disyre.candidate import Candidate
from disyre.client import documents
from disyre.modality import Guess
from disyre.progress import Progress
from service import model_schemas, problems, schemas, state_schemas
from tests.disyre.client.scripted_api import document, scripted_api

SAME: dict[type[documents.Document], type[BaseModel]] = {
    documents.JobDocument: schemas.JobView,
    documents.ModelRefDocument: schemas.ModelRef,
    documents.ModalityDocument: Guess,
    documents.InputDocument: schemas.InputView,
    documents.ProgressDocument: Progress,
    documents.LinksDocument: schemas.JobLinks,
    documents.ProblemDocument: problems.Problem,
    documents.CandidateDocument: Candidate,
    documents.EventDocument: schemas.JobEventView,
    documents.StudyDocument: schemas.StudyView,
    documents.JobPageDocument: schemas.JobPage,
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
