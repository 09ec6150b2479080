"""A submission that names a series in an archive: the API fetches it, and it is a job like any other."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from tests.live import free_port, wait_for
from tests.service.live_api import PATIENCE_S, LiveApi, live_api
from tests.service.pulls.archive import (
    RELATED,
    SERIES,
    SOURCE,
    STUDY,
    Archive,
    archive,
    images,
    related,
    send,
)
from tests.zip_files import zipped_images

KEY = {"Idempotency-Key": "a"}


def pull(api: LiveApi, *, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    return api.client.post("/v1/jobs", json={"source": SOURCE, **body}, headers=headers)


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def input_of(api: LiveApi, job_id: str) -> set[bytes]:
    files = api.jobs.get(job_id).input.files
    return {(api.root / "jobs" / job_id / "input" / file.name).read_bytes() for file in files}


def test_a_series_in_an_archive_becomes_a_job_with_its_files(api: LiveApi, pacs: Archive) -> None:
    answer = pull(api, model="t1w", params={"threshold": 0.5, "labels": {"cohort": "a"}})

    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["input"]["shape"][2]) == ("queued", 6)
    assert (job["params"]["series_uid"], job["params"]["threshold"]) == (SERIES, 0.5)
    assert api.queue.job_ids == [job["id"]]
    assert input_of(api, job["id"]) == set(pacs.files)
    search, fetch = pacs.asked
    assert search[0].startswith(f"/dicom-web/studies/{STUDY}/series?SeriesInstanceUID={SERIES}")
    assert fetch[1] == 'multipart/related; type="application/dicom"; transfer-syntax=*'


def test_the_same_pull_again_with_its_key_is_the_same_job_and_fetches_nothing(
    api: LiveApi, pacs: Archive
) -> None:
    first = pull(api, headers=KEY, params={"threshold": 0.5})
    n_asked = len(pacs.asked)
    again = pull(api, headers=KEY, params={"threshold": 0.50})
    other = pull(api, headers=KEY, params={"threshold": 0.25})

    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.json()["id"] == first.json()["id"]
    assert problem_of(other) == (422, "idempotency-mismatch")
    assert len(pacs.asked) == n_asked


def test_a_series_that_was_sent_before_in_part_is_superseded_by_the_one_that_is_fetched(
    api: LiveApi, pacs: Archive
) -> None:
    part = api.client.post("/v1/jobs", content=zipped_images(pacs.files[:5])).json()

    assert pull(api).json()["supersedes"] == part["id"]


def test_the_results_go_back_where_the_operator_says(tmp_path: Path, pacs: Archive) -> None:
    jobs = InMemoryJobStore()
    with live_api(tmp_path, jobs=jobs, pacs_file=pacs.file(tmp_path), export_to="pacs1") as api:
        assert pull(api).json()["params"]["export"] == "pacs1"


def test_deflated_images_are_taken_too(api: LiveApi, pacs: Archive) -> None:
    pacs.files = images(deflated=True)

    assert pull(api).status_code == 202


def test_an_archive_that_does_not_say_how_many_images_it_has_is_taken_at_its_word(
    api: LiveApi, pacs: Archive
) -> None:
    pacs.n_said = None

    assert pull(api).json()["input"]["shape"][2] == 6


@pytest.mark.parametrize("n_said", ["6", 6])
def test_a_number_is_taken_as_text_too(api: LiveApi, pacs: Archive, n_said: int | str) -> None:
    pacs.n_said = n_said

    assert pull(api).status_code == 202


def test_a_series_that_is_not_there_is_not_found(api: LiveApi, pacs: Archive) -> None:
    for other in ({"series": "1.2.3.4"}, {"study": "1.2.3.4"}):
        answer = api.client.post("/v1/jobs", json={"source": {**SOURCE, **other}})
        assert problem_of(answer) == (404, "series-not-found")
    for status in (204, 404):
        pacs.on_search = lambda request, status=status: send(request, b"", status=status)
        assert problem_of(pull(api)) == (404, "series-not-found")
    assert api.holds_nothing()


def test_what_is_not_mr_is_not_fetched(api: LiveApi, pacs: Archive) -> None:
    pacs.modality = "CT"
    answer = pull(api)

    assert problem_of(answer) == (422, "not-brain-mr")
    assert answer.json()["detail"] == "expected a series of the modality MR, got one of CT"
    pacs.modality = "ZZCANARY^PHI"
    assert "ZZCANARY" not in pull(api).text
    assert len(pacs.asked) == 2


def test_a_series_of_too_many_images_is_not_fetched(api: LiveApi, pacs: Archive) -> None:
    pacs.n_said = 21

    assert problem_of(pull(api)) == (413, "too-large")
    assert len(pacs.asked) == 1


def test_a_series_with_too_many_voxels_is_refused_as_an_upload_is(tmp_path: Path, pacs: Archive) -> None:
    with live_api(tmp_path, pacs_file=pacs.file(tmp_path), max_voxels=100) as api:
        assert problem_of(pull(api)) == (413, "too-large")
        assert api.holds_nothing()


def test_a_series_for_which_there_is_no_room_on_the_disk_is_refused(tmp_path: Path, pacs: Archive) -> None:
    with live_api(tmp_path, pacs_file=pacs.file(tmp_path), min_free_bytes=2**60) as api:
        assert problem_of(pull(api)) == (507, "storage-full")
        assert pacs.asked == []


def test_a_series_that_cannot_be_scored_is_refused_with_its_reason(api: LiveApi, pacs: Archive) -> None:
    pacs.files = images(2)

    assert problem_of(pull(api)) == (422, "too-few-slices")
    assert api.holds_nothing()


@pytest.fixture(scope="module")
def other_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    """An API with an archive that nobody answers for."""
    folder = tmp_path_factory.mktemp("api")
    nobody = Archive(url=f"http://127.0.0.1:{free_port()}")
    with live_api(folder, pacs_file=nobody.file(folder)) as api:
        yield api


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[", "JSON"),
        ("[]", "object"),
        ("{}", "source: expected a value"),
        ({"source": {**SOURCE, "url": "http://elsewhere/"}}, "a name that is none of these"),
        ({"source": {**SOURCE, "type": "http"}}, "source.type"),
        (
            {"source": {**SOURCE, "series": "../../instances"}},
            "source.series: expected a DICOM UID (digits and dots, at most 64), got text",
        ),
        ({"source": {**SOURCE, "study": ".."}}, "source.study"),
        ({"source": {**SOURCE, "study": "1." * 40 + "1"}}, "source.study: expected at most 64"),
        ({"source": SOURCE, "params": 5}, "params"),
        ('{"source": {}, "source": {}}', "twice"),
    ],
)
def test_a_body_of_another_form_is_refused_with_its_place(
    other_api: LiveApi, body: object, words: str
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    answer = other_api.client.post(
        "/v1/jobs", content=text, headers={"Content-Type": "application/json; charset=utf-8"}
    )

    assert problem_of(answer) == (400, "malformed-request")
    assert words in answer.json()["detail"]
    assert "elsewhere" not in answer.text


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"source": {**SOURCE, "server": "elsewhere"}}, (422, "unknown-server")),
        ({"source": {**SOURCE, "server": "http://elsewhere/"}}, (422, "unknown-server")),
        ({"source": SOURCE, "params": {"series_uid": "1.2"}}, (422, "invalid-params")),
        ({"source": SOURCE, "params": {"volume_index": -1}}, (422, "invalid-params")),
        ({"source": SOURCE, "model": "t1w", "params": {"model": "t1w"}}, (422, "invalid-params")),
        ({"source": SOURCE, "model": "none"}, (422, "unknown-model")),
        ({"source": SOURCE, "params": {"export": "elsewhere"}}, (422, "unknown-server")),
        ({"source": SOURCE}, (503, "archive-unavailable")),
    ],
)
def test_what_need_not_be_fetched_is_refused_before_it_is(
    other_api: LiveApi, body: dict[str, Any], problem: tuple[int, str]
) -> None:
    assert problem_of(other_api.client.post("/v1/jobs", json=body)) == problem
    assert other_api.holds_nothing()


def test_a_body_is_short_whole_and_plain(other_api: LiveApi) -> None:
    def post(content: bytes, **headers: str) -> tuple[int, str]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return problem_of(
            other_api.client.post(
                "/v1/jobs", content=content, headers={"Content-Type": "application/json", **given}
            )
        )

    assert post(b" " * 70_000) == (413, "too-large")
    marked = b"\xef\xbb\xbf" + json.dumps({"source": SOURCE, "model": "none"}).encode()
    assert post(marked) == (422, "unknown-model"), "a byte order mark is ignored"
    assert post(b"{}", Content_Encoding="gzip") == (415, "unsupported-media-type")
    assert post(b"{}", Content_Digest=f"sha-256=:{'A' * 43}=:") == (400, "digest-mismatch")


def test_an_archive_that_is_slow_is_in_no_others_way_and_few_wait_for_it(tmp_path: Path) -> None:
    goes_on = threading.Event()

    def slowly(request: BaseHTTPRequestHandler) -> None:
        goes_on.wait(PATIENCE_S)
        send(request, b"[]")

    with archive(on_search=slowly) as slow, archive(is_open=True) as quick:
        path = slow.file(tmp_path)
        path.write_text(f'{path.read_text()}\n[[server]]\nname = "quick"\nurl = "{quick.url}/dicom-web"\n')
        with live_api(tmp_path, pacs_file=path) as api, ThreadPoolExecutor(37) as pool:
            waiting = [pool.submit(pull, api) for _ in range(37)]
            refused = next(as_completed(waiting)).result()
            from_another = api.client.post("/v1/jobs", json={"source": {**SOURCE, "server": "quick"}})
            n_asked = len(slow.asked)
            goes_on.set()

    assert from_another.status_code == 202
    assert problem_of(refused) == (503, "archive-unavailable")
    assert refused.headers["Retry-After"]
    assert n_asked == 4


def test_the_answer_of_a_pull_has_the_files_as_the_archive_has_them(api: LiveApi, pacs: Archive) -> None:
    pacs.answers = [
        lambda request: send(
            request, b"preamble" + related(pacs.files) + b"epilogue", Content_Type=RELATED.replace('"', "")
        )
    ]

    assert input_of(api, pull(api).json()["id"]) == set(pacs.files)


def test_a_client_that_leaves_finds_the_job_with_its_key(api: LiveApi, pacs: Archive) -> None:
    goes_on = threading.Event()

    def slowly(request: BaseHTTPRequestHandler) -> None:
        goes_on.wait(PATIENCE_S)
        send(request, related(pacs.files))

    pacs.answers = [slowly]
    with pytest.raises(httpx.ReadTimeout):
        api.client.post("/v1/jobs", json={"source": SOURCE}, headers=KEY, timeout=0.3)
    meanwhile = pull(api, headers=KEY)
    goes_on.set()
    (job,) = wait_for(lambda: api.jobs.list(limit=2), "the job is there")

    assert problem_of(meanwhile) == (409, "still-receiving")
    again = wait_for(lambda: _if_accepted(pull(api, headers=KEY)), "its key is known")
    assert (again.json()["id"], again.headers["Idempotency-Replayed"]) == (job.id, "true")


def _if_accepted(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.is_success else None


def test_a_service_that_stops_tells_who_waits_for_an_archive(tmp_path: Path, pacs: Archive) -> None:
    goes_on = threading.Event()

    def slowly(request: BaseHTTPRequestHandler) -> None:
        goes_on.wait(PATIENCE_S)

    pacs.answers = [slowly]
    with ThreadPoolExecutor(1) as pool:
        with live_api(tmp_path, pacs_file=pacs.file(tmp_path), shutdown_grace_s=1.0) as api:
            url = f"{api.client.base_url}/v1/jobs"
            waiting = pool.submit(httpx.post, url, json={"source": SOURCE}, timeout=PATIENCE_S)
            wait_for(lambda: len(pacs.asked) == 2, "it is being fetched")
        goes_on.set()
        assert problem_of(waiting.result()) == (503, "unavailable")
