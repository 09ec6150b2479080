"""UPS-RS: a series that is held is a workitem when it is asked for, and each job is seen as one."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pydicom
import pytest

from disyre.export import Export, ExportState
from disyre.job import Job, JobProblem
from disyre.progress import Progress
from tests.dicom_phantom import encoded
from tests.service.dicomweb.storing import SERIES, STUDY, files, images, series_of, store
from tests.service.key_files import client_of, write_keys
from tests.service.live_api import LiveApi, live_api, succeed
from tests.zip_files import zipped

PATH = "/dicomweb/workitems"
LATER: dict[str, Any] = {"stow_quiet_s": 3600}
JSON = {"Content-Type": "application/dicom+json"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    with live_api(tmp_path, **LATER) as api:
        yield api


def wanted(*instances: str, study: str = STUDY, series: str = SERIES, **more: Any) -> pydicom.Dataset:
    """What a client of pydicom writes."""
    item = pydicom.Dataset()
    item.StudyInstanceUID, item.SeriesInstanceUID, item.TypeOfInstances = study, series, "DICOM"
    item.ReferencedSOPSequence = [pydicom.Dataset() for _ in instances]
    for referenced, uid in zip(item.ReferencedSOPSequence, instances, strict=True):
        referenced.ReferencedSOPInstanceUID = uid
    dataset = pydicom.Dataset()
    dataset.InputInformationSequence = [item]
    dataset.ProcedureStepState = "SCHEDULED"
    for name, value in more.items():
        setattr(dataset, name, value)
    return dataset


def create(client: httpx.Client, dataset: pydicom.Dataset | None = None, query: str = "") -> httpx.Response:
    body = (dataset or wanted()).to_json()
    return client.post(f"{PATH}{query}", content=body, headers=JSON)


def get(client: httpx.Client, path: str) -> pydicom.Dataset:
    """A workitem."""
    answer = client.get(path, headers={"Accept": "application/dicom+json"})
    assert answer.status_code == httpx.codes.OK, answer.text
    (dataset,) = answer.json()
    return pydicom.Dataset.from_json(dataset)


def created(api: LiveApi, query: str = "") -> tuple[str, Job]:
    """The address of a new workitem, and its job."""
    store(api.client, files())
    answer = create(api.client, query=query)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return answer.headers["Location"], api.jobs.list(limit=1)[0]


def test_a_series_that_is_held_is_a_job_when_a_workitem_asks_for_it(api: LiveApi) -> None:
    path, job = created(api)

    item = get(api.client, path)
    assert item.SOPClassUID == "1.2.840.10008.5.1.4.34.6.1"
    assert path == f"{PATH}/{item.SOPInstanceUID}"
    assert (item.ProcedureStepState, item.ScheduledProcedureStepPriority) == ("SCHEDULED", "MEDIUM")
    assert len(job.input.files) == 6
    assert api.queue.job_ids == [job.id]
    (series,) = series_of(api.client)
    assert (series["state"], series["job_id"]) == ("submitted", job.id), "it makes no second job when quiet"
    assert "Transaction" not in str(item)
    (given,) = item.InputInformationSequence
    assert (given.StudyInstanceUID, given.SeriesInstanceUID) == (STUDY, SERIES)


def test_a_workitem_names_its_series_also_when_the_images_are_gone(api: LiveApi) -> None:
    path, job = created(api)
    begun = api.jobs.update(job.id, lambda job: job.start(at=api.jobs.now()))
    (result,) = images(1, SeriesInstanceUID="1.2.9")
    referred = pydicom.Dataset()
    referred.SeriesInstanceUID = SERIES
    result.ReferencedSeriesSequence = [referred]
    (content,) = encoded([result])
    succeed(api, begun, {"parametric-map.dcm": content})
    api.artifacts.remove_input(job.id)

    (given,) = get(api.client, path).InputInformationSequence
    assert (given.StudyInstanceUID, given.SeriesInstanceUID) == (STUDY, SERIES)

    api.artifacts.keep_only(job.id, None)
    assert not get(api.client, path).get("InputInformationSequence")


@pytest.mark.parametrize("query", ["?AffectedSOPInstanceUID=1.2.3.4", "?workitem=1.2.3.4", "?1.2.3.4"])
def test_a_workitem_has_the_uid_that_it_was_asked_for_with_once(api: LiveApi, query: str) -> None:
    path, job = created(api, query)
    again = create(api.client, query=query)

    assert path == f"{PATH}/1.2.3.4"
    assert get(api.client, path).SOPInstanceUID == "1.2.3.4"
    assert (again.status_code, again.json()["code"]) == (409, "workitem-exists")
    assert len(api.jobs.list(limit=9)) == 1
    api.client.delete(f"/v1/jobs/{job.id}")
    gone = api.client.get(path)
    assert (gone.status_code, "the UID of a workitem" in gone.json()["detail"]) == (404, True)
    other = api.client.get(f"{PATH}/2.25.{UUID('01a2231a-060e-70fd-86a8-d5639651e670').int}")
    assert other.json()["detail"] == "expected the UID of a workitem, got one that no workitem has"


def test_a_priority_is_that_of_the_job(api: LiveApi) -> None:
    store(api.client, files())

    path = create(api.client, wanted(ScheduledProcedureStepPriority="HIGH")).headers["Location"]

    assert api.jobs.list(limit=1)[0].params.priority == "high"
    assert get(api.client, path).ScheduledProcedureStepPriority == "HIGH"


def test_a_rule_says_how_what_it_takes_is_scored(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rules]]\nname = "all"\nmodel = "t1w"\nmax_slices = 6\n', encoding="utf-8")
    with live_api(tmp_path, stow_rules=rules, **LATER) as api:
        _, taken = created(api)
        store(api.client, files(8))
        assert create(api.client).status_code == httpx.codes.CREATED

        assert (taken.params.model, api.jobs.list(limit=1)[0].params.model) == ("t1w", None)


def test_what_is_not_held_is_no_input(api: LiveApi) -> None:
    nothing = create(api.client)
    store(api.client, files(5))
    other = create(api.client, wanted(series="1.2.3"))
    part = create(api.client, wanted(*(f"{SERIES}.{number}" for number in range(1, 7))))
    whole = create(api.client, wanted(*(f"{SERIES}.{number}" for number in range(1, 6))))

    assert [each.status_code for each in (nothing, other, part, whole)] == [409, 409, 409, 201]
    assert {each.json()["code"] for each in (nothing, other, part)} == {"series-not-held"}
    assert part.json()["detail"] == "expected all 5 images that are named to be held, 1 are not".replace(
        "5", "6"
    )


def test_a_series_that_cannot_be_scored_is_refused_as_a_submission(api: LiveApi) -> None:
    store(api.client, files(2))

    answer = create(api.client, query="?workitem=1.2.3")

    assert (answer.status_code, answer.json()["code"]) == (422, "too-few-slices")
    assert api.holds_nothing()
    store(api.client, files(6))
    assert create(api.client, query="?workitem=1.2.3").status_code == httpx.codes.CREATED


def no_uids() -> pydicom.Dataset:
    """Input that is to be fetched from elsewhere."""
    dataset = wanted()
    item = dataset.InputInformationSequence[0]
    item.WADORSRetrievalSequence = [pydicom.Dataset()]
    item.WADORSRetrievalSequence[0].RetrieveURL = "http://169.254.169.254/"
    del item.StudyInstanceUID
    return dataset


WRONG: dict[str, tuple[Any, int]] = {
    "no JSON": ("{", 400),
    "nothing": ("", 400),
    "a number": ("5", 400),
    "two data sets": ("[{}, {}]", 400),
    "brackets": ("[" * 100_000, 400),
    "no input": ("{}", 400),
    "an element that is a list": ('{"00404021": []}', 400),
    "items that are none": ('{"00404021": {"vr": "SQ", "Value": [5]}}', 400),
    "values that are none": ('{"00404021": {"vr": "SQ", "Value": 5}}', 400),
    "two inputs": ('{"00404021": {"vr": "SQ", "Value": [{}, {}]}}', 400),
    "input from elsewhere": (no_uids(), 400),
    "UIDs that lead elsewhere": (wanted().to_json().replace(SERIES, "../../etc"), 400),
    "a state": (wanted(ProcedureStepState="IN PROGRESS"), 400),
    "a priority": (wanted(ScheduledProcedureStepPriority="ZZCANARY"), 400),
    "a number as text": ('{"00741000": {"vr": "CS", "Value": [5]}}', 400),
    "a body that is too long": (" " * 5_000_000, 413),
}


@pytest.fixture(scope="module")
def full_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    with live_api(tmp_path_factory.mktemp("full"), **LATER) as api:
        store(api.client, files())
        yield api


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_workitem_is_refused(full_api: LiveApi, what: str) -> None:
    given, status = WRONG[what]
    body = given if isinstance(given, str) else given.to_json()

    answer = full_api.client.post(PATH, content=body, headers=JSON)

    assert answer.status_code == status, answer.text
    assert "CANARY" not in answer.text
    assert full_api.holds_nothing()


def test_a_body_of_another_type_and_a_wrong_uid_are_refused(full_api: LiveApi) -> None:
    xml = full_api.client.post(PATH, content="<a/>", headers={"Content-Type": "application/dicom+xml"})
    wrong = create(full_api.client, query="?workitem=ZZCANARY")

    assert (xml.status_code, wrong.status_code) == (415, 422)
    assert "ZZCANARY" not in wrong.text


def test_a_workitem_says_how_far_its_job_is(api: LiveApi) -> None:
    path, job = created(api)
    api.jobs.update(job.id, lambda job: job.start(at=api.jobs.now()))
    progress = Progress(stage="restoring", fraction=0.41, step=17, steps=50, eta_s=None)
    api.jobs.update(job.id, lambda job: job.report(progress, attempt=1))

    item = get(api.client, path)

    (said,) = item.ProcedureStepProgressInformationSequence
    assert item.ProcedureStepState == "IN PROGRESS"
    assert (said.ProcedureStepProgress, said.ProcedureStepProgressDescription) == (41, "restoring")
    (performed,) = item.UnifiedProcedureStepPerformedProcedureSequence
    assert "PerformedProcedureStepEndDateTime" not in performed


def test_a_completed_workitem_says_where_its_results_are(tmp_path: Path) -> None:
    archives = tmp_path / "archives.toml"
    archives.write_text('[[server]]\nname = "pacs1"\nurl = "http://pacs.test/dicom-web"\n', encoding="utf-8")
    results = images(3, SeriesInstanceUID="1.2.9")
    map_file, *captures = encoded(results)
    with live_api(tmp_path, pacs_file=archives, **LATER) as api:
        path, job = created(api)
        api.jobs.update(job.id, lambda job: job.start(at=api.jobs.now()))
        captured = zipped({f"{k}.dcm": content for k, content in enumerate(captures)})
        named = {"parametric-map.dcm": map_file, "secondary-capture.zip": captured, "segmentation.dcm": b"x"}
        succeed(api, api.jobs.get(job.id), {**named, "summary.json": b"{}"})
        stored = Export(server="pacs1", state=ExportState.STORED, requested_at=api.jobs.now())
        api.jobs.exports.note(job.id, stored)

        item = get(api.client, path)

        (said,) = item.ProcedureStepProgressInformationSequence
        assert (item.ProcedureStepState, said.ProcedureStepProgress) == ("COMPLETED", 100)
        (performed,) = item.UnifiedProcedureStepPerformedProcedureSequence
        assert performed.PerformedProcedureStepEndDateTime
        outputs = performed.OutputInformationSequence
        urls = [each.WADORetrievalSequence[0].RetrieveURI for each in outputs]
        assert [api.client.get(url).content for url in urls] == list(named.values())
        assert [
            [ref.ReferencedSOPInstanceUID for ref in each.ReferencedSOPSequence] for each in outputs[:2]
        ] == [
            ["1.2.9.1"],
            ["1.2.9.2", "1.2.9.3"],
        ]
        assert outputs[0].StudyInstanceUID == STUDY
        assert outputs[0].WADORSRetrievalSequence[0].RetrieveURL == (
            f"http://pacs.test/dicom-web/studies/{STUDY}/series/1.2.9"
        )
        assert "StudyInstanceUID" not in outputs[2], "of what cannot be read, only where it is"
        api.artifacts.keep_only(job.id, None)
        (performed,) = get(api.client, path).UnifiedProcedureStepPerformedProcedureSequence
        assert "OutputInformationSequence" not in performed or not performed.OutputInformationSequence


def named_in(item: pydicom.Dataset) -> list[str]:
    return [each.ReferencedSOPInstanceUID for each in item.ReferencedSOPSequence]


def test_a_failed_job_is_a_canceled_workitem_that_says_why(api: LiveApi) -> None:
    path, job = created(api)
    api.jobs.update(job.id, lambda job: job.start(at=api.jobs.now()))
    problem = JobProblem(code="not-brain-mr", detail="expected a brain")
    api.jobs.update(job.id, lambda job: job.fail(problem, attempt=1, at=api.jobs.now()))

    item = get(api.client, path)

    (said,) = item.ProcedureStepProgressInformationSequence
    assert (item.ProcedureStepState, said.ReasonForCancellation) == ("CANCELED", "expected a brain")
    assert said.ProcedureStepCancellationDateTime


def test_a_workitem_is_canceled_when_that_is_asked_for(api: LiveApi) -> None:
    path, job = created(api)

    first = api.client.post(f"{path}/cancelrequest")
    again = api.client.post(f"{path}/cancelrequest", content="{}", headers=JSON)

    assert (first.status_code, again.status_code) == (202, 202)
    assert api.jobs.get(job.id).state == "canceled"
    (said,) = get(api.client, path).ProcedureStepProgressInformationSequence
    assert said.ReasonForCancellation == "canceled as it was asked for"


def test_a_running_workitem_is_asked_to_stop_and_a_completed_one_stays(api: LiveApi) -> None:
    path, job = created(api)
    running = api.jobs.update(job.id, lambda job: job.start(at=api.jobs.now()))
    asked = api.client.post(f"{path}/cancelrequest")
    canceling = get(api.client, path)
    store(api.client, files(8))
    other = create(api.client).headers["Location"]
    done = api.jobs.list(limit=1)[0]
    succeed(api, api.jobs.update(done.id, lambda job: job.start(at=api.jobs.now())), {})
    late = api.client.post(f"{other}/cancelrequest")

    assert (asked.status_code, canceling.ProcedureStepState) == (202, "IN PROGRESS")
    assert api.jobs.get(running.id).state == "canceling"
    assert (late.status_code, late.json()["code"]) == (409, "illegal-transition")


def put(client: httpx.Client, path: str, state: str | None, transaction: str | None = "1.2.9") -> Any:
    dataset = pydicom.Dataset()
    if state is not None:
        dataset.ProcedureStepState = state
    if transaction is not None:
        dataset.TransactionUID = transaction
    return client.put(f"{path}/state", content=dataset.to_json(), headers=JSON)


def test_only_the_service_changes_states(api: LiveApi) -> None:
    path, _ = created(api)

    for state in ("IN PROGRESS", "COMPLETED", "CANCELED"):
        answer = put(api.client, path, state)
        assert (answer.status_code, answer.json()["code"]) == (409, "not-the-performer")
    for given in ((None, "1.2"), ("SCHEDULED", "1.2"), ("DONE", "1.2"), ("CANCELED", None)):
        assert put(api.client, path, *given).status_code == 400
    api.client.post(f"{path}/cancelrequest")
    already = put(api.client, path, "CANCELED")
    assert (already.status_code, already.headers["Warning"][:10]) == (200, "299 disyre")


def test_jobs_of_all_kinds_are_workitems(api: LiveApi, scan: bytes) -> None:
    assert api.client.get(PATH).status_code == httpx.codes.NO_CONTENT
    first = api.client.post("/v1/jobs", content=scan).json()["id"]
    for _ in range(3):
        api.client.post("/v1/jobs", content=scan)
    api.client.post(f"/v1/jobs/{first}/cancel")

    def found(query: str = "") -> list[str]:
        answer = api.client.get(f"{PATH}{query}")
        return [each["00741000"]["Value"][0] for each in answer.json()] if answer.content else []

    assert found() == ["SCHEDULED"] * 3 + ["CANCELED"]
    assert found("?ProcedureStepState=CANCELED") == ["CANCELED"]
    assert found("?00741000=CANCELED&00741000=SCHEDULED&includefield=all&limit=2") == ["SCHEDULED"] * 2
    assert found("?limit=2&offset=3") == ["CANCELED"]
    assert found("?limit=2&offset=4") == found("?ProcedureStepState=COMPLETED") == []
    assert api.client.get(f"{PATH}?ProcedureStepState=DONE").status_code == 422
    assert api.client.get(f"{PATH}?PatientName=ZZCANARY").status_code == 422
    (last,) = api.client.get(f"{PATH}?offset=3").json()
    assert get(api.client, f"{PATH}/{last['00080018']['Value'][0]}").ProcedureStepState == "CANCELED"


@pytest.mark.parametrize("uid", ["1.2.3", "2.25.1", f"2.25.{2**128}", "2.25.", "2.25.1.2"])
def test_there_is_no_workitem_of_another_uid(api: LiveApi, uid: str) -> None:
    answer = api.client.get(f"{PATH}/{uid}")

    assert (answer.status_code, answer.json()["code"]) == (404, "job-not-found")


def test_workitems_are_their_owners(tmp_path: Path) -> None:
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path), **LATER) as api:
        with (
            client_of(api, "pacs") as pacs,
            client_of(api, "ward-3") as ward,
            client_of(api, "boss") as boss,
        ):
            store(pacs, files())
            assert create(ward).status_code == 409, "what another one has sent is not there"
            path = create(pacs, query="?workitem=1.2.3").headers["Location"]

            assert ward.get(path).status_code == ward.post(f"{path}/cancelrequest").status_code == 404
            assert ward.get(PATH).status_code == 204
            (seen,) = boss.get(PATH).json()
            uid = seen["00080018"]["Value"][0]
            assert get(boss, f"{PATH}/{uid}").ProcedureStepState == "SCHEDULED"
            store(ward, files())
            assert create(ward, query="?workitem=1.2.3").status_code == 201, "UIDs are each owner's"
        with client_of(api, "reader") as reader, client_of(api, "sender") as sender:
            assert create(reader).status_code == put(reader, path, "CANCELED").status_code == 403
            assert sender.get(PATH).status_code == 403
        text = (next((tmp_path / "audit").iterdir())).read_text(encoding="utf-8")
        events = [json.loads(line) for line in text.splitlines()]
        job_id = next(
            each["job_id"] for each in events if each["what"] == "create_workitem" and each["job_id"]
        )
        assert job_id in {job.id for job in api.jobs.list(limit=9)}
        assert STUDY not in text


def test_an_expired_workitem_is_gone(tmp_path: Path) -> None:
    with live_api(tmp_path, retention_s=1, **LATER) as api:
        path, job = created(api)
        api.client.post(f"{path}/cancelrequest")
        ended = api.jobs.get(job.id)
        assert ended.expires_at is not None
        assert ended.expires_at - ended.history[-1].at == timedelta(seconds=1)
        until = api.jobs.now() + timedelta(seconds=5)
        while (status := api.client.get(path).status_code) == 200 and api.jobs.now() < until:
            pass
        assert status == 410
