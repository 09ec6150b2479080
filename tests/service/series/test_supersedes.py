"""A part of a series is sent, and then all of it: the newer job names the one that it supersedes."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from disyre.adapters.owner_index import InMemoryOwnerIndex
from service.caller import LOCAL
from service.own_jobs import OwnJobs
from tests.builders import NOON
from tests.dicom_phantom import encoded, make_series
from tests.service.key_files import client_of, write_keys
from tests.service.lifetimes import lifetimes_of
from tests.service.live_api import LiveApi, live_api
from tests.service.series.made_series import T1W, T2W, UIDS, post, series
from tests.zip_files import zipped_images

WHOLE = series("T1w", 8, **T1W)
PART = WHOLE[:5]


@pytest.fixture
def keyed_api(tmp_path: Path) -> Iterator[LiveApi]:
    """An API that asks for keys."""
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path)) as api:
        yield api


def after(*, minutes: int) -> datetime:
    """So long after noon."""
    return NOON + timedelta(minutes=minutes)


def sent(client: httpx.Client, images: list[bytes], **params: str) -> dict[str, Any]:
    """The job of some images."""
    response = client.post("/v1/jobs", content=zipped_images(images), params=params)
    assert response.status_code == 202
    return dict(response.json())


def test_all_of_a_series_supersedes_the_part_of_it_that_came_before(api: LiveApi) -> None:
    part = sent(api.client, PART)
    whole = sent(api.client, WHOLE)

    assert part["supersedes"] is None
    assert whole["supersedes"] == part["id"]
    assert (part["input"]["shape"][2], whole["input"]["shape"][2]) == (5, 8)
    found = [api.client.get(job["links"]["self"]).json() for job in (part, whole)]
    assert [each["supersedes"] for each in found] == [None, part["id"]]
    assert [each["state"] for each in found] == ["queued", "queued"]


def test_the_same_images_again_are_another_job_that_supersedes_no_more_than_the_first(api: LiveApi) -> None:
    alone = [sent(api.client, PART), sent(api.client, PART[::-1], threshold="0.5")]
    files = [("file", image) for image in [*WHOLE, WHOLE[0]]]
    whole = [sent(api.client, WHOLE), api.client.post("/v1/jobs", files=files).json()]

    assert [job["supersedes"] for job in alone] == [None, None]
    assert [job["supersedes"] for job in whole] == [alone[1]["id"]] * 2
    assert len({job["id"] for job in [*alone, *whole]}) == 4


def test_a_submission_sent_again_with_its_key_names_what_it_named_first(api: LiveApi) -> None:
    part = sent(api.client, PART)
    upload, key = zipped_images(WHOLE), {"Idempotency-Key": "a"}

    answers = [api.client.post("/v1/jobs", content=upload, headers=key).json() for _ in range(2)]

    assert answers[0]["id"] == answers[1]["id"]
    assert [each["supersedes"] for each in answers] == [part["id"]] * 2


def test_the_newest_one_is_named_whichever_has_more_images(api: LiveApi) -> None:
    first, second = sent(api.client, WHOLE[:4]), sent(api.client, WHOLE)
    third = sent(api.client, PART)

    assert [job["supersedes"] for job in (first, second, third)] == [None, first["id"], second["id"]]


def test_images_that_lie_elsewhere_are_others_though_their_pixels_are_the_same(api: LiveApi) -> None:
    first = sent(api.client, WHOLE)
    moved = make_series(8, SeriesInstanceUID=UIDS["T1w"], **T1W)
    for image in moved:
        image.ImagePositionPatient = [float(each) + 5 for each in image.ImagePositionPatient]

    assert sent(api.client, encoded(moved))["supersedes"] == first["id"]


def test_each_job_of_a_study_supersedes_that_of_its_own_series(api: LiveApi) -> None:
    other = series("T2w", **T2W)
    first = [post(api, PART).json()["id"], post(api, other).json()["id"]]

    jobs = api.client.post("/v1/studies", content=zipped_images([*WHOLE, *other])).json()["jobs"]

    named = {job["params"]["series_uid"]: job["supersedes"] for job in jobs}
    assert named == {UIDS["T1w"]: first[0], UIDS["T2w"]: None}
    picked = sent(api.client, [*WHOLE[:6], *other], series_uid=UIDS["T1w"])
    assert picked["supersedes"] == next(
        job["id"] for job in jobs if job["params"]["series_uid"] == UIDS["T1w"]
    )


def test_nothing_supersedes_a_job_of_another_study_or_series_or_without_a_series(
    api: LiveApi, scan: bytes
) -> None:
    of_no_series = [encoded(make_series(n, SeriesInstanceUID="", **T1W)) for n in (5, 8)]
    sent(api.client, PART)

    others = [
        sent(api.client, encoded(make_series(8, SeriesInstanceUID="1.2.99", **T1W))),
        sent(
            api.client,
            encoded(make_series(8, StudyInstanceUID="1.2.98", SeriesInstanceUID=UIDS["T1w"], **T1W)),
        ),
        *(sent(api.client, images) for images in of_no_series),
    ]

    nifti = [api.client.post("/v1/jobs", content=scan).json() for _ in range(2)]
    assert [job["supersedes"] for job in (*others, *nifti)] == [None] * 6


def test_nobody_learns_of_a_job_of_others_by_it(keyed_api: LiveApi) -> None:
    with client_of(keyed_api, "pacs") as pacs, client_of(keyed_api, "ward-3") as ward:
        sent(pacs, PART)

        assert sent(ward, WHOLE)["supersedes"] is None


def test_a_job_that_is_gone_or_over_is_not_named(tmp_path: Path) -> None:
    with live_api(tmp_path, retention_s=3600) as api:
        jobs = []
        for n in (4, 5, 6):
            api.jobs.clock = partial(after, minutes=n)
            jobs.append(sent(api.client, WHOLE[:n]))
        api.client.post(f"{jobs[2]['links']['self']}/cancel")
        before = sent(api.client, WHOLE)["supersedes"]
        api.jobs.clock = partial(after, minutes=70)
        api.jobs.remove(jobs[1]["id"])  # its place in the index stays

        named = sent(api.client, WHOLE)["supersedes"]

    assert (before, named) == (jobs[2]["id"], jobs[0]["id"])


def test_a_deleted_job_is_forgotten_with_its_series(api: LiveApi) -> None:
    sent(api.client, PART)
    job, owners = api.jobs.list(limit=1)[0], InMemoryOwnerIndex()
    owners.note(job.owner, job.id, marks=job.marks)

    OwnJobs(api.jobs, owners, LOCAL, lifetimes_of(api.jobs)).remove(job.id)

    assert owners.list(job.owner, limit=9) == owners.list(job.owner, limit=9, mark=job.series_id) == []


def test_what_is_kept_of_a_series_has_none_of_its_uids(api: LiveApi) -> None:
    images = make_series(8, StudyInstanceUID="1.2.840.4711", SeriesInstanceUID="1.2.840.4712", **T1W)
    sent(api.client, encoded(images))

    job = api.jobs.list(limit=1)[0]

    assert job.series is not None
    assert [len(each) for each in (job.series.id, job.series.content)] == [32, 32]
    assert "1.2.840.471" not in json.dumps(job.model_dump(mode="json"))
