"""Stacks that are not whole, or not in one series: the same is said wherever they are sent."""

import pytest

from tests.dicom_phantom import encoded, make_series
from tests.service.live_api import LiveApi
from tests.service.refused import check_refused
from tests.service.series.made_series import T1W, UIDS, series
from tests.zip_files import zipped_images


def test_what_headers_say_of_slices_that_did_not_come_is_a_warning(api: LiveApi) -> None:
    images = series("T1w", gap_mm=6.0, ImagesInAcquisition=10, SpacingBetweenSlices=3.0, **T1W)

    listed, submitted, study = (
        api.client.post(path, content=zipped_images(images)).json()
        for path in ("/v1/inspect", "/v1/jobs", "/v1/studies")
    )

    for said in (listed, submitted["input"], study["jobs"][0]["input"]):
        assert [warning.partition(":")[0] for warning in said["warnings"]] == [
            "the headers say that the acquisition has 10 images (ImagesInAcquisition), and 6 came",
            "the slices are 6.00 mm apart, where the headers say 3.00 mm (SpacingBetweenSlices)",
        ]


def test_slices_that_differ_at_the_end_of_a_stack_are_left_out_nowhere(api: LiveApi) -> None:
    images = make_series(40, SeriesInstanceUID=UIDS["T1w"], **T1W)
    for image in images[36:]:
        image.EchoTime = 80
    upload = zipped_images(encoded(images))

    listed = api.client.post("/v1/inspect", content=upload).json()
    refused = api.client.post("/v1/jobs", content=upload)
    study = api.client.post("/v1/studies", content=upload)

    assert [(each["n"], each["code"]) for each in listed["volumes"]] == [
        (36, "irregular-slices"),
        (4, "irregular-slices"),
    ]
    check_refused(api, refused, 422, "irregular-slices")
    check_refused(api, study, 422, "nothing-to-score")
    reason = "where a stack of 36 images goes on differ from it in echo time (80 ms against 12 ms)"
    for words in (listed["volumes"][0]["reason"], refused.json()["detail"], study.json()["detail"]):
        assert reason in words


def in_two_series(names: str) -> bytes:
    """One stack of T1w whose images are said to be of two series, by a letter each."""
    images = make_series(len(names), **T1W)
    for image, name in zip(images, names, strict=True):
        image.SeriesInstanceUID = f"1.2.{1 + 'ab'.index(name)}"
    return zipped_images(encoded(images))


@pytest.mark.parametrize(
    ("names", "words"),
    [("a" * 8 + "b" * 8, "goes on in another series"), ("ab" * 8, "has slices between these in another")],
    ids=["halves", "alternate"],
)
def test_a_stack_in_two_series_is_the_same_everywhere_and_scored_nowhere(
    api: LiveApi, names: str, words: str
) -> None:
    upload = in_two_series(names)

    listed = api.client.post("/v1/inspect", content=upload).json()["volumes"]
    refused = api.client.post("/v1/jobs", content=upload)
    study = api.client.post("/v1/studies", content=upload)

    check_refused(api, refused, 422, "irregular-slices")
    check_refused(api, study, 422, "nothing-to-score")
    assert "pick it with the option series_uid" in refused.json()["detail"]
    for candidates in (listed, refused.json()["candidates"], study.json()["candidates"]):
        assert [each["code"] for each in candidates] == ["irregular-slices"] * 2
        assert all(words in each["reason"] for each in candidates)


def test_a_part_of_a_stack_is_scored_if_it_is_picked_on_purpose(api: LiveApi) -> None:
    upload = in_two_series("a" * 8 + "b" * 8)

    listed = api.client.post("/v1/inspect", content=upload, params={"series_uid": "1.2.2"}).json()
    taken = api.client.post("/v1/jobs", content=upload, params={"series_uid": "1.2.2"})

    assert [each["code"] for each in listed["volumes"]] == [None]
    assert [warning[:70] for warning in listed["warnings"]] == [
        "the stack of this series, with 8 images, goes on in another series of "
    ]
    assert taken.status_code == 202
