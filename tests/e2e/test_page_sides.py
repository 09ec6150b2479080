"""What is on the patient's left is on the right of the picture, and the letters beside it say so."""

from typing import Any, Final

import nibabel as nib
import numpy as np
import pytest
from playwright.sync_api import Page

from tests.builders import make_volume
from tests.e2e.browsing import NEEDS_A_BROWSER, canvas_picture, open_at
from tests.e2e.stack import SCAN_SHAPE, Serve

pytestmark = NEEDS_A_BROWSER

# NiiVue draws letters as pixels, so what is asked of it is noted: where each plane lies, and its letters.
NOTE_LETTERS: Final = """
import("/viewer/assets/vendor/niivue-0.69.0.js").then(({ Niivue }) => {
  window.planes = {};
  let noted = null;
  const { drawSliceOrientationText: drawLetters, drawText } = Niivue.prototype;
  Niivue.prototype.drawSliceOrientationText = function (rectangle, plane, ...more) {
    noted = { rectangle: [...rectangle], letters: {} };
    window.planes[plane] = noted;
    drawLetters.call(this, rectangle, plane, ...more);
    noted = null;
  };
  Niivue.prototype.drawText = function (place, text, ...more) {
    if (noted) noted.letters[text] = [...place];
    drawText.call(this, place, text, ...more);
  };
})
"""
PLANES: Final = {"axial": "0", "coronal": "1", "sagittal": "2"}
MARKED: Final = {"axial": "LA", "coronal": "LS", "sagittal": "AS"}
"""Letters of the two sides at which a plane through the middle is marked."""
ACROSS: Final = {"axial": "RL", "coronal": "RL", "sagittal": "PA"}
"""Letters of the sides of a plane, from the left of the picture to its right."""
DOWN: Final = {"axial": "AP", "coronal": "SI", "sagittal": "SI"}


def marked_scan() -> bytes:
    """A head (RAS+) with three bright rods: each goes through one of the middle planes, off its middle."""
    image = make_volume(SCAN_SHAPE)
    left, front, top = slice(22, 32), slice(58, 70), slice(38, 46)
    for rod in ((left, front, slice(None)), (left, slice(None), top), (slice(None), front, top)):
        part = image.voxels[rod]
        part[part > 0] = 400
    return nib.Nifti1Image(image.voxels, image.affine).to_bytes()


@pytest.fixture(scope="module")
def marked(serve: Serve) -> str:
    """A job with nothing above its threshold, so that the cross stays in the middle."""
    answer = serve.post(
        "/v1/jobs",
        files={"file": ("scan.nii.gz", marked_scan())},
        params={"model": "t1w", "threshold": "1000"},
    )
    job = serve.wait_until_finished(answer.json()["id"], within_s=240)
    assert job["state"] == "succeeded", job["error"]
    return str(job["id"])


@pytest.fixture
def viewer(page: Page, serve: Serve, marked: str) -> Page:
    open_at(page, serve, f"/viewer?job={marked}")
    page.wait_for_selector("body[data-ready]")
    page.evaluate(NOTE_LETTERS)
    page.get_by_label("Axial").check()
    return page


def side_of(place: tuple[float, float], rectangle: list[float]) -> tuple[float, float]:
    """Where in a rectangle a place is: from -1 on the left to 1 on the right, from -1 above to 1 below."""
    left, top, width, height = rectangle
    return 2 * (place[0] - left) / width - 1, 2 * (place[1] - top) / height - 1


def bright_place(picture: np.ndarray[Any, Any], rectangle: list[float]) -> tuple[float, float]:
    """The middle of what is brighter than letters and cross are."""
    left, top, width, height = (round(number) for number in rectangle)
    rows, columns = np.nonzero(picture[top : top + height, left : left + width].min(axis=2) > 0.93)
    assert len(rows) > 50
    return left + float(columns.mean()), top + float(rows.mean())


def check_plane(page: Page, name: str) -> None:
    """Letters stand where they have to on all four sides, and the mark is where they say that it is."""
    noted = page.evaluate("(plane) => window.planes[plane]", PLANES[name])
    sides = {letter: side_of(place, noted["rectangle"]) for letter, place in noted["letters"].items()}
    assert sorted(sides) == sorted(ACROSS[name] + DOWN[name])
    across, down = ([sides[letter] for letter in letters] for letters in (ACROSS[name], DOWN[name]))
    assert across[0][0] < -0.8 < 0.8 < across[1][0], sides
    assert down[0][1] < -0.8 < 0.8 < down[1][1], sides

    mark = side_of(bright_place(canvas_picture(page), noted["rectangle"]), noted["rectangle"])

    for letter in MARKED[name]:
        axis = 0 if letter in ACROSS[name] else 1
        assert mark[axis] * sides[letter][axis] > 0.1, (letter, mark, sides)


@pytest.mark.parametrize("name", PLANES)
def test_of_one_plane_the_letters_say_on_which_side_of_the_head_things_are(viewer: Page, name: str) -> None:
    viewer.get_by_label(name.capitalize()).check()

    check_plane(viewer, name)


def test_of_all_planes_the_letters_say_on_which_side_of_the_head_things_are(viewer: Page) -> None:
    viewer.get_by_label("All", exact=True).check()

    for name in PLANES:
        check_plane(viewer, name)
