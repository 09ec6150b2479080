"""The client against the API as it is."""

import hashlib
from pathlib import Path

import pytest

from disyre.client import (
    Client,
    ClientError,
    Conflict,
    InvalidRequest,
    JobOptions,
    MissingFile,
    NotFound,
    NothingToSend,
)
from disyre.job_params import JobParams
from tests.dicom_phantom import encoded, make_series
from tests.service.live_api import LiveApi, live_api
from tests.service.pulls.archive import SERIES, STUDY, archive


def test_a_file_is_submitted_with_its_options(api: LiveApi, client: Client, scan: Path) -> None:
    job = client.submit(
        scan, model="t1w", mode="stepwise", severities=(0.8, 0.2), threshold=0.5, bias_correction=True
    )

    (stored,) = api.jobs.list(limit=2)
    assert (job.id, job.state, job.queue_position) == (stored.id, "queued", 1)
    assert stored.params == JobParams(
        model="t1w", mode="stepwise", severities=(0.8, 0.2), threshold=0.5, bias_correction=True
    )
    assert stored.input.files[0].sha256 == hashlib.sha256(scan.read_bytes()).hexdigest()
    assert job.input is not None
    assert (job.input.n_files, job.input.has_mask) == (1, False)


def test_a_mask_and_labels_go_along(api: LiveApi, client: Client, scan: Path, mask: Path) -> None:
    job = client.submit(str(scan), mask=str(mask), labels={"cohort": "ä"}, severities=[0.5])

    (stored,) = api.jobs.list(limit=2)
    assert job.input is not None
    assert job.input.has_mask
    assert (stored.params.labels, stored.params.severities) == ({"cohort": "ä"}, (0.5,))


def test_the_files_of_a_series_are_sent_from_a_folder_and_the_folders_in_it(
    api: LiveApi, client: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "series"
    for number, content in enumerate(encoded(make_series())):
        (folder / str(number % 2)).mkdir(parents=True, exist_ok=True)
        (folder / str(number % 2) / f"IM{number}.dcm").write_bytes(content)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "thumbnail").write_bytes(b"no image")
    (folder / ".DS_Store").write_bytes(b"no image")

    one, other = client.submit(folder), client.submit(sorted(folder.glob("*/*.dcm")))

    assert one.input is not None
    assert other.input is not None
    assert one.input.n_files == len([*folder.glob("*/*.dcm")]) > 4
    assert one.input.sha256 == other.input.sha256


def test_without_a_file_there_is_nothing_to_send(client: Client, tmp_path: Path) -> None:
    empty = tmp_path / "data" / "jobs"
    none: list[Path] = []
    for nothing in (empty, none):
        with pytest.raises(NothingToSend, match="expected the files of a scan, got none"):
            client.submit(nothing)


def test_a_file_that_is_not_there_is_told_of_before_anything_is_sent(client: Client, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as told:
        client.submit(tmp_path / "none.nii.gz")

    assert isinstance(told.value, ClientError)
    assert told.value.filename == str(tmp_path / "none.nii.gz")


def test_a_mask_that_is_not_there_is_told_of_too(client: Client, scan: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"No such file or directory: '.*none_mask\.nii\.gz'"):
        client.submit(scan, mask=tmp_path / "none_mask.nii.gz")


def test_each_field_that_is_wrong_is_told_of(client: Client) -> None:
    with pytest.raises(InvalidRequest) as told:
        next(client.list(page_size=0))

    (wrong,) = told.value.problem.errors or ()
    assert (wrong.field, wrong.detail) == ("query.limit", "expected a number of at least 1, got 0")


def test_a_refusal_says_why(api: LiveApi, client: Client, scan: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.nii.gz").write_bytes(b"odd")

    with pytest.raises(InvalidRequest) as told:
        client.submit(tmp_path / "odd.nii.gz")
    with pytest.raises(InvalidRequest, match=r"422 invalid-params: .*threshold") as wrong:
        client.submit(scan, threshold=-1, labels={})

    assert (told.value.problem.status, told.value.problem.code) == (415, "not-an-image")
    assert wrong.value.problem.code == "invalid-params"
    assert api.holds_nothing()


def test_volumes_are_listed_without_a_job(api: LiveApi, client: Client, scan: Path, mask: Path) -> None:
    found = client.inspect(scan, mask=mask)

    (volume,) = found.volumes
    assert (volume.shape, volume.orientation, volume.code) == ((40, 48, 36), "RAS", None)
    assert api.holds_nothing()


def test_all_jobs_are_listed_page_by_page(client: Client, scan: Path) -> None:
    jobs = [client.submit(scan) for _ in range(3)]
    client.cancel(jobs[0])

    assert [job.id for job in client.list(page_size=2)] == [job.id for job in reversed(jobs)]
    assert [job.id for job in client.list(states=["canceled", "failed"])] == [jobs[0].id]


def test_jobs_are_listed_by_what_they_are(client: Client, scan: Path) -> None:
    first, second = (
        client.submit(scan, model="t1w", labels={"site": site, "arm": "x"}) for site in ("ß", "b&c")
    )
    assert first.created_at is not None
    assert second.created_at is not None

    assert [job.id for job in client.list(labels={"site": "ß", "arm": "x"})] == [first.id]
    assert [job.id for job in client.list(labels={"site": "b&c"}, model="t1w")] == [second.id]
    assert not list(client.list(series_uid="1.2"))
    assert [job.id for job in client.list(created_after=second.created_at)] == [second.id]
    assert [job.id for job in client.list(created_before=second.created_at)] == [first.id]


def test_a_job_is_canceled_tried_again_and_deleted(api: LiveApi, client: Client, scan: Path) -> None:
    job = client.submit(scan)

    assert client.cancel(job).state == "canceled"
    assert client.retry(job).state == "queued"
    assert client.cancel(job).state == "canceled"
    with pytest.raises(Conflict):
        client.cancel(job)
    client.delete(job.id)
    with pytest.raises(NotFound):
        client.job(job)
    assert not api.jobs.list(limit=1)


def test_models_and_the_queue_are_looked_at(client: Client) -> None:
    (model,), queue = client.models(), client.queue()

    assert (model.name, model.version, model.modality) == ("t1w", "1", "T1w")
    assert model.calibration is not None
    assert model.calibration.threshold == 0.3
    assert (queue.depth, queue.running) == (0, 0)
    assert [(worker.id, worker.models) for worker in queue.workers] == [("worker-1", ("t1w/1",))]


def test_all_series_of_a_study_are_submitted_at_once(api: LiveApi, client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    series = [*make_series(SeriesInstanceUID="1.2.1"), *make_series(SeriesInstanceUID="1.2.2")]
    for number, content in enumerate(encoded([*series, make_series(SeriesInstanceUID="1.2.3")[0]])):
        (folder / str(number)).write_bytes(content)

    study = client.study(folder, priority="low", labels={"cohort": "a"}, idempotency_key="study-1")

    assert sorted(str(job.params.series_uid) for job in study.jobs) == ["1.2.1", "1.2.2"]
    assert {job.params.priority for job in study.jobs} == {"low"}
    assert [(each.series_uid, each.code) for each in study.left_out] == [("1.2.3", "too-few-slices")]
    again = client.study(folder, priority="low", labels={"cohort": "a"}, idempotency_key="study-1")
    assert [job.id for job in again.jobs] == [job.id for job in study.jobs]


def test_the_options_of_the_client_are_those_of_the_api() -> None:
    assert JobOptions.__optional_keys__ == JobParams.model_fields.keys()


def test_a_series_is_fetched_from_an_archive(tmp_path: Path) -> None:
    with (
        archive() as pacs,
        live_api(tmp_path, pacs_file=pacs.file(tmp_path)) as api,
        Client(str(api.client.base_url)) as client,
    ):
        job = client.pull("pacs1", STUDY, SERIES, threshold=0.5, labels={"cohort": "a"})
        with pytest.raises(NotFound, match="series-not-found"):
            client.pull("pacs1", STUDY, "1.2.3.4")

    assert job.params.series_uid == SERIES
    assert (job.params.threshold, job.params.labels) == (0.5, {"cohort": "a"})
    assert job.input is not None
    assert job.input.shape == (9, 7, 6)
