"""Which slice of a case is shown, and what is written above it."""

from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from disyre.volume import Volume
from model_export.evaluation.cases import Case
from model_export.evaluation.pictures import draw_exhibits, show


@pytest.fixture
def case() -> Case:
    """A block of brain with 100 voxels of 2 mm³ of lesion in one slice."""
    brain = np.zeros((20, 24, 12), dtype=np.bool_)
    brain[2:18, 2:22, 1:11] = True
    lesion = np.zeros_like(brain)
    lesion[5:15, 5:15, 3] = True
    noise = np.random.default_rng(1).uniform(50, 100, brain.shape)
    volume = Volume(np.where(brain, noise, 0.0).astype(np.float32), np.diag([1.0, 1.0, 2.0, 1.0]))
    return Case("a case", volume, brain, lesion)


def test_the_slice_with_most_lesion_is_shown_with_the_lesions_volume(case: Case) -> None:
    shown = show(case, {"map": case.lesion.astype(np.float32)})

    assert shown.title == "a case\nlesion of 0.2 mL"
    assert shown.lesion.sum() == 100
    assert shown.maps["map"].sum() == 100


def test_another_slice_is_shown_where_it_is_asked_for(case: Case) -> None:
    marked = np.zeros_like(case.lesion)
    marked[10, 10, 9] = True

    shown = show(case, {"map": marked.astype(np.float32)}, most_of=marked)

    assert not shown.lesion.any()
    assert shown.maps["map"].sum() == 1


def test_the_bar_beside_a_map_has_a_line_at_the_threshold_if_that_is_among_its_values(
    case: Case, tmp_path: Path
) -> None:
    shown = show(case, {"map": case.lesion.astype(np.float32)})
    pictures = []
    for threshold in (0.5, 5.0, float("nan")):
        file = tmp_path / f"{threshold}.png"
        draw_exhibits(file, [shown], {case.name: {"map": "AP 1"}}, ["map"], thresholds={"map": threshold})
        pictures.append(matplotlib.image.imread(file))

    assert not np.array_equal(pictures[0], pictures[2])
    np.testing.assert_array_equal(pictures[1], pictures[2])


def test_colours_of_a_rows_own_do_not_depend_on_other_rows(case: Case, tmp_path: Path) -> None:
    weak, strong = (show(case, {"map": case.lesion * np.float32(value)}) for value in (0.1, 10))
    rows = {"shared": [weak, strong], "own": [replace(weak, tops={"map": 0.1}), strong]}
    brightest = {}

    for name, exhibits in rows.items():
        draw_exhibits(tmp_path / f"{name}.png", exhibits, {case.name: {"map": "AP 1"}}, ["map"])
        picture = matplotlib.image.imread(tmp_path / f"{name}.png")
        upper, right = picture.shape[0] // 2, 2 * picture.shape[1] // 3
        brightest[name] = picture[upper // 3 : upper, right:, 0].mean()

    assert brightest["own"] > brightest["shared"]
