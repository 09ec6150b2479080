"""The pages in a browser: a scan is sent, followed and looked at, and its map lies on the lesion."""

import gzip
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import httpx
import nibabel as nib
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import NEEDS_A_BROWSER, canvas_picture, colours_in, open_at, place_told, send
from tests.e2e.stack import Serve, scan_bytes, serving
from tests.live import ROOT
from tests.real_data import real_data
from tests.service.key_files import write_keys
from tests.service.series.made_series import study
from tests.zip_files import zipped_images

pytestmark = NEEDS_A_BROWSER


def test_a_scan_is_sent_followed_and_looked_at(page: Page, serve: Serve) -> None:
    open_at(page, serve)
    send(page, "head <b>of</b> somebody.nii.gz", scan_bytes())
    row = page.locator(".job").first
    expect(row.locator(".name")).to_have_text("head <b>of</b> somebody.nii.gz")  # as text, and never sent
    expect(row.locator(".badge")).to_have_text("done")
    assert "somebody" not in str(serve.get("/v1/jobs").json())

    row.get_by_role("link", name="View").click()

    page.wait_for_selector("body[data-ready]")
    assert re.fullmatch(r"\?job=[0-9a-f-]{36}", page.evaluate("location.search"))
    expect(page.locator(".research")).to_contain_text("Research use only")
    job_id = page.evaluate("location.search")[5:]
    summary = serve.get(f"/v1/jobs/{job_id}/results/summary.json").json()
    expect(page.locator("#above")).to_contain_text(f"{summary['volume_above_threshold_ml']:.3g} mL")
    before = page.locator("#above").inner_text()
    page.locator("#threshold").press("End")
    expect(page.locator("#above")).not_to_have_text(before)
    page.get_by_role("button", name=re.compile("Back to")).click()
    expect(page.locator("#above")).to_have_text(before)


def test_list_and_viewer_say_where_a_job_came_from_and_what_it_was_labelled_with(
    page: Page, serve: Serve
) -> None:
    labels = {"case": "K-17 <b>old</b>", "series": "5", "from": "orthanc", "long": "x" * 200}
    params = {"params": (None, json.dumps({"model": "t1w", "labels": labels}))}
    answer = serve.post("/v1/jobs", files={**params, "file": ("scan.nii.gz", scan_bytes())})
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    open_at(page, serve)
    row = page.locator(".job").first

    expect(row.locator(".about")).to_contain_text(
        "from Orthanc · series 5 · case: K-17 <b>old</b> · long: xxx"
    )
    expect(row.locator(".about")).not_to_contain_text("x" * 60)
    row.get_by_role("link", name="View").click()

    expect(page.locator("#panel .facts", has_text="Labels")).to_contain_text("case: K-17 <b>old</b>")
    expect(page.locator("#panel")).to_contain_text("x" * 200)


def test_the_time_in_title_and_list_is_when_a_scan_was_sent(page: Page, serve: Serve) -> None:
    job_id = serve.submit()
    open_at(page, serve)
    expect(page.locator(".job .about").first).to_contain_text(re.compile(r"^sent \w+ \d+, \d{4}"))

    open_at(page, serve, f"/viewer?job={job_id}")

    expect(page.locator("#title")).to_have_text(re.compile(r"^\w+, sent \w+ \d+, \d{4}"))
    expect(page).to_have_title(re.compile(r"^DISYRE · \w+, sent "))


def test_of_an_upload_with_several_series_one_is_picked(page: Page, serve: Serve) -> None:
    open_at(page, serve)

    send(page, "study.zip", zipped_images(study()))

    card = page.locator(".refusal")
    expect(card).to_contain_text("study.zip was not taken")
    assert card.locator(".candidates li").count() >= 2
    card.get_by_role("button", name="Score this one").first.click()
    expect(card).to_have_count(0)
    expect(page.locator(".job .name").first).to_have_text("study.zip")


def test_what_is_no_scan_is_refused_in_words(page: Page, serve: Serve) -> None:
    open_at(page, serve)

    send(page, "letter.txt", b"Dear colleague, " * 200)

    expect(page.locator(".refusal .problem")).to_contain_text("expected NIfTI")


def test_a_page_follows_the_scheme_of_the_browser(page: Page, serve: Serve) -> None:
    open_at(page, serve)
    colour = "getComputedStyle(document.body).backgroundColor"

    dark = page.evaluate(colour)
    page.emulate_media(color_scheme="light")
    light = page.evaluate(colour)

    def brightness(text: str) -> float:
        return float(np.mean([int(n) for n in re.findall(r"\d+", text)[:3]]))

    assert brightness(dark) < 40
    assert brightness(light) > 220


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """A stack with the models that ship, which asks for keys."""
    folder = tmp_path_factory.mktemp("guarded")
    keys = str(write_keys(folder))
    with serving(folder / "data", ROOT / "models", DISYRE_API_KEYS_FILE=keys, DISYRE_LEASE_S="60") as serve:
        assert "disyre is ready" in serve.wait_until_ready()
        yield serve


def test_with_a_key_the_map_of_a_real_glioma_lies_on_the_glioma(
    page: Page, request: pytest.FixtureRequest
) -> None:
    case = real_data("lesion/glioma_FG-6692")
    guarded: Serve = request.getfixturevalue("guarded")
    open_at(page, guarded)
    page.fill("#key-field", "pacs")
    page.get_by_role("button", name="Use it").click()
    expect(page.locator("#list")).to_contain_text("No scans yet")
    page.select_option("#modality", "FLAIR")
    send(page, "FLAIR.nii.gz", (case / "FLAIR.nii.gz").read_bytes())
    expect(page.locator(".job progress").first).to_be_visible()
    page.get_by_role("link", name="View").click()
    page.wait_for_selector("body[data-ready]")
    page.get_by_label("Axial").check()
    page.locator(".regions button").first.click()

    coloured = coloured_pixels(page)
    sample = random.Random(0).sample(coloured, 12)
    places = [place_at(page, pixel) for pixel in sample]

    lesion = nib.Nifti1Image.from_filename(case / "lesion_silver.nii.gz")
    inside = [value_at(lesion, place) > 0 for place in places]
    assert len(coloured) > 500
    assert np.mean(inside) >= 0.6
    found = map_of(guarded, page.evaluate("location.search")[5:])
    near = [value_near(found, place) for place in places]
    assert min(near) > 0.02775, near  # nothing is coloured where the map is below the threshold

    page.locator("#threshold").press("End")
    assert len(coloured_pixels(page)) < 0.5 * len(coloured)


def coloured_pixels(page: Page) -> list[tuple[int, int]]:
    """Pixels of the canvas that are not grey, away from the tools."""
    rows, columns = np.nonzero(colours_in(canvas_picture(page)))
    return list(zip(columns.tolist(), rows.tolist(), strict=True))


def place_at(page: Page, pixel: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Where in the world, in mm (RAS+), the page says that a pixel of the canvas is."""
    page.locator("#canvas").click(position={"x": pixel[0] + 0.5, "y": pixel[1] + 0.5})
    return place_told(page)


def map_of(serve: Serve, job_id: str) -> nib.Nifti1Image:
    url = f"http://127.0.0.1:{serve.port}/v1/jobs/{job_id}/results/anomaly.nii.gz"
    content = httpx.get(url, headers={"X-API-Key": "pacs"}, timeout=60).content
    return nib.Nifti1Image.from_bytes(gzip.decompress(content))


def voxel_at(image: nib.Nifti1Image, place: np.ndarray[Any, Any]) -> tuple[int, ...]:
    voxel = np.linalg.inv(image.affine) @ [*place, 1.0]
    return tuple(np.rint(voxel[:3]).astype(int))


def value_at(image: nib.Nifti1Image, place: np.ndarray[Any, Any]) -> float:
    return float(image.get_fdata()[voxel_at(image, place)])


def value_near(image: nib.Nifti1Image, place: np.ndarray[Any, Any]) -> float:
    """The highest value within a voxel: what is drawn is interpolated, and places are told in whole mm."""
    around = tuple(slice(n - 1, n + 2) for n in voxel_at(image, place))
    return float(image.get_fdata()[around].max())
