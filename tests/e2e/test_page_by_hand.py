"""What hands do on the pages: a folder is dropped, the cross moved by keys, and images are switched."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import NEEDS_A_BROWSER, canvas_picture, colours_in, open_at, place_told
from tests.e2e.stack import Serve, scan_bytes
from tests.service.series.made_series import T1W, series
from tests.zip_files import zipped

pytestmark = NEEDS_A_BROWSER
N_SLICES = 24
NOTE_NEWS = """
window.news = "";
new MutationObserver(() => {
  window.news += document.querySelector("#news").textContent;
}).observe(document.querySelector("#news"), { childList: true });
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of DICOM as a CD has it: in folders below, with a file that is none of the images."""
    for n, image in enumerate(series("T1w", N_SLICES, **T1W)):
        path = tmp_path / "study" / f"part{n % 2}" / f"IM{n:04d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)
    (tmp_path / "study" / "DICOMDIR").write_bytes(b"an index")
    return tmp_path / "study"


def drop(page: Page, folder: Path) -> None:
    """Drop a folder on the page, as a person does from the desktop: let go once the page has said where."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    page.evaluate("addEventListener('dragover', () => { window.isOver = true; })")
    for kind in ("dragEnter", "dragOver", "drop"):
        if kind == "drop":
            expect(page.locator("#veil")).to_be_visible()
            page.wait_for_function("window.isOver")
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})


def test_a_folder_of_dicom_that_is_dropped_on_the_page_is_one_scan(
    page: Page, serve: Serve, folder: Path
) -> None:
    open_at(page, serve)

    drop(page, folder)

    expect(page.locator(".job", has_text=f"{N_SLICES} files")).to_have_count(1)
    expect(page.locator("#veil")).to_be_hidden()
    assert N_SLICES in serve.get("/v1/jobs?limit=1").json()["jobs"][0]["input"]["shape"]


def test_a_folder_that_is_chosen_is_one_scan_too(page: Page, serve: Serve, folder: Path) -> None:
    open_at(page, serve)

    page.set_input_files("#folder", folder)

    expect(page.locator(".job .name").first).to_have_text(f"{N_SLICES} files")


def test_of_a_folder_what_was_left_out_is_told_at_once_and_on_the_row(
    page: Page, serve: Serve, folder: Path
) -> None:
    (folder / "README.txt").write_text("about this CD")
    for n, image in enumerate(series("short", 3, StudyInstanceUID="1.2.9", **T1W)):
        (folder / f"other{n}").write_bytes(image)
    open_at(page, serve)
    page.evaluate(NOTE_NEWS)

    drop(page, folder)

    n_files, left_out = f"{N_SLICES + 4} files", "left out: 1 file; 3 axial images of 9 x 7"
    row = page.locator(".job", has_text=n_files)
    expect(row).to_contain_text(left_out)
    assert f"{n_files} were taken; {left_out}" in page.evaluate("window.news")
    expect(row.locator(".what")).not_to_contain_text("as not")  # the reasons are in the viewer


def test_what_was_left_out_is_told_in_the_viewer_with_the_reason(page: Page, serve: Serve) -> None:
    files = {"scan.nii": scan_bytes(), "README.txt": b"about this scan"}
    sent = serve.post("/v1/jobs", files={"file": ("scan.zip", zipped(files))}, params={"model": "t1w"})
    job = serve.wait_until_finished(sent.json()["id"], within_s=240)
    assert job["state"] == "succeeded", job["error"]

    open_at(page, serve, f"/viewer?job={job['id']}")

    expect(page.locator("#panel .facts div", has_text="Left out")).to_contain_text("1 file")
    expect(page.locator("#panel .warnings")).to_contain_text("1 file left out, as not NIfTI")


@pytest.fixture(scope="module")
def scored(serve: Serve) -> str:
    """A job that has succeeded."""
    job_id = serve.submit()
    assert serve.wait_until_finished(job_id, within_s=240)["state"] == "succeeded"
    return job_id


@pytest.fixture
def viewer(page: Page, serve: Serve, scored: str) -> Page:
    open_at(page, serve, f"/viewer?job={scored}")
    page.wait_for_selector("body[data-ready]")
    return page


@pytest.mark.parametrize(
    ("key", "way"),
    [
        ("ArrowLeft", (1, 0, 0)),
        ("ArrowRight", (-1, 0, 0)),
        ("ArrowUp", (0, 1, 0)),
        ("ArrowDown", (0, -1, 0)),
        ("PageUp", (0, 0, 1)),
        ("PageDown", (0, 0, -1)),
    ],
)
def test_a_key_moves_the_cross_the_way_that_it_points(
    viewer: Page, key: str, way: tuple[int, int, int]
) -> None:
    before = place_told(viewer)

    for _ in range(4):
        viewer.locator("#canvas").press(key)

    moved = place_told(viewer) - before
    assert (np.sign(moved) == way).all(), moved


def test_places_have_signs_and_no_letters_of_sides(viewer: Page) -> None:
    # The origin of the world is the scanner's: what lies left of it may be in the right half of the head.
    for text in (viewer.locator("#where").inner_text(), *viewer.locator(".regions .hint").all_inner_texts()):
        assert "x " in text
        assert not re.search(r"\b[RLPI]\b", text), text


def test_keys_show_the_restored_scan_and_hide_the_map(viewer: Page) -> None:
    scan = canvas_picture(viewer)
    assert "scan" in viewer.locator("#where").inner_text()

    viewer.locator("#canvas").press("r")
    restored = canvas_picture(viewer)
    assert "restored" in viewer.locator("#where").inner_text()
    assert np.abs(restored - scan).mean() > 1e-4

    viewer.locator("#canvas").press("r")
    viewer.locator("#canvas").press("m")
    viewer.locator("#canvas").blur()  # its frame is blue
    bare = canvas_picture(viewer)
    assert colours_in(scan).any()
    assert not colours_in(bare).any()


def test_the_brain_mask_is_laid_on_the_brain_alone(viewer: Page) -> None:
    viewer.locator("#show-map").uncheck()
    before = canvas_picture(viewer)

    viewer.locator("#show-mask").check()
    changed = np.ptp(canvas_picture(viewer) - before, axis=2) > 0.02

    assert 0.02 < changed.mean() < 0.6
    assert before[changed].mean() > 4 * before[~changed].mean()


def test_all_that_the_viewer_offers_is_reached_by_the_keyboard(viewer: Page) -> None:
    reached = set()
    for _ in range(40):
        viewer.keyboard.press("Tab")
        reached.add(viewer.evaluate("document.activeElement.id || document.activeElement.name"))

    assert {
        "key-button",
        "base",
        "planes",
        "show-map",
        "show-mask",
        "canvas",
        "threshold",
        "opacity",
    } <= reached
