"""Localizers: the same is said of them wherever they are sent, and they are in nobody's way."""

import pytest

from tests.service.live_api import LiveApi
from tests.service.series.made_series import T1W, in_three_planes, post, series
from tests.zip_files import zipped_images


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_localizer_has_one_code_and_reason_wherever_it_is_sent(api: LiveApi, n: int) -> None:
    planes = in_three_planes(n)
    upload = zipped_images([*planes, *series("T1w", 16, **T1W)])

    listed = api.client.post("/v1/inspect", content=upload).json()["volumes"]
    left_out = api.client.post("/v1/studies", content=upload).json()["left_out"]
    alone = api.client.post("/v1/jobs", content=zipped_images(planes))

    said = {(each["code"], each["reason"]) for each in (*listed[1:], *left_out)}
    assert len(listed) == 4
    assert said == {
        (
            "multiple-volumes",
            "expected a scan, got a localizer (ImageType), which shows where scans are to lie",
        )
    }
    assert (alone.status_code, alone.json()["code"]) == (422, "multiple-volumes")
    assert "they are localizers" in alone.json()["detail"]
    assert "alone" not in alone.json()["detail"]


def test_a_localizer_of_one_plane_is_called_that_everywhere(api: LiveApi) -> None:
    localizer = series("short", 3, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    upload = zipped_images([*localizer, *series("T1w", 16, **T1W)])

    listed = api.client.post("/v1/inspect", content=upload).json()["volumes"]
    left_out = api.client.post("/v1/studies", content=upload).json()["left_out"]

    assert [(each["code"], each["reason"][:38]) for each in (listed[1], left_out[0])] == [
        ("too-few-slices", "expected a scan, got a localizer (Imag")
    ] * 2


def test_a_localizer_is_left_out_however_many_images_it_has(api: LiveApi) -> None:
    planes = in_three_planes(5)

    response = post(api, [*planes, *series("T1w", 16, **T1W)])

    assert (response.status_code, response.json()["modality"]["name"]) == (202, "T1w")
