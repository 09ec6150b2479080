"""The picture of a scored scan: what it shows, and what it says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from disyre import INTENDED_USE
from disyre.adapters.preview import draw_preview, write_preview
from disyre.pipeline import ScoredVolume
from disyre.scan_record import BrainSource, ScanSource
from disyre.summary import summarize
from disyre.summary_record import Summary
from disyre.types import Affine
from disyre.volume import Volume
from tests.builders import make_manifest, make_record, make_settings, make_volume

LAS: Affine = np.diag([-1.0, 1.0, 1.0, 1.0])
LESION = (slice(10, 20), slice(18, 28), slice(13, 23))
"""On the patient's right, if i runs to the left."""

Picture = npt.NDArray[np.uint8]


def scored_lesion(
    value: float = 0.2, *, elsewhere: float = 0.01, affine: Affine = LAS
) -> tuple[Volume, ScoredVolume]:
    """A brain with a lesion of 10 voxels each way, and one voxel at another place that may be higher."""
    volume = make_volume(affine=affine)
    brain = volume.voxels > 0
    voxels = np.where(brain, 0.01, 0).astype(np.float32)
    voxels[LESION] = value
    voxels[28, 30, 20] = elsewhere
    return volume, ScoredVolume(volume.with_voxels(voxels), volume, brain, make_record(volume), {})


def summary_of(
    volume: Volume, scored: ScoredVolume, *, threshold: float | None = None, warnings: tuple[str, ...] = ()
) -> Summary:
    return summarize(
        volume,
        scored,
        make_manifest(),
        settings=make_settings(),
        threshold=threshold,
        provider="CPUExecutionProvider",
        source=ScanSource(position="sform"),
        brain=BrainSource(mask="skull-stripped"),
        timings_s={},
        warnings=warnings,
    )


def draw(volume: Volume, scored: ScoredVolume, *warnings: str) -> Figure:
    return draw_preview(volume, scored, summary_of(volume, scored, warnings=warnings))


def picture_of(folder: Path, volume: Volume, scored: ScoredVolume, threshold: float | None = None) -> Picture:
    """The panels as they are written, 0 to 255, without the colour bar above them."""
    path = folder / "preview.png"
    write_preview(path, volume, scored, summary_of(volume, scored, threshold=threshold))
    return np.asarray(np.round(255 * imread(path)[140:, :, :3]), dtype=np.uint8)


def colours_of(picture: Picture) -> list[tuple[int, ...]]:
    """All colours that are no grey and cover more than a few hundred pixels, the most frequent first."""
    coloured = picture[picture.max(axis=2) - picture.min(axis=2) > 60]
    colours, counts = np.unique(coloured, axis=0, return_counts=True)
    order = np.argsort(-counts)
    return [tuple(int(part) for part in colours[k]) for k in order if counts[k] > 500]


def words_of(figure: Figure) -> list[str]:
    return [str(text.get_text()) for text in figure.findobj(Text) if text.get_text()]


def panels_of(figure: Figure) -> list[Axes]:
    """From left to right, then down."""
    return [axes for axes in figure.axes if axes.get_images()]


def bounds_of(texts: list[Text]) -> list[tuple[str, Bbox]]:
    """Of a figure that has been drawn, in pixels."""
    return [(str(t.get_text()), t.get_window_extent()) for t in texts if t.get_text() and t.get_visible()]


def test_the_map_is_in_colour_over_the_scan(tmp_path: Path) -> None:
    picture = picture_of(tmp_path, *scored_lesion())

    assert picture.shape[0] > picture.shape[1] > 1000
    assert len(colours_of(picture)) == 1
    coloured = np.flatnonzero((picture.max(axis=2) - picture.min(axis=2) > 60).any(axis=0))
    assert coloured.min() > picture.shape[1] * 0.66


def test_the_patients_right_is_on_the_left(tmp_path: Path) -> None:
    picture = picture_of(tmp_path, *scored_lesion())

    axial = picture[:400, picture.shape[1] * 2 // 3 :]
    columns = np.flatnonzero((axial.max(axis=2) - axial.min(axis=2) > 60).any(axis=0))
    assert columns.size > 50
    assert columns.max() < 0.5 * axial.shape[1]


def test_a_value_has_one_colour_whatever_else_a_scan_holds(tmp_path: Path) -> None:
    (alone,) = colours_of(picture_of(tmp_path, *scored_lesion(0.2)))
    (beside_more,) = colours_of(picture_of(tmp_path, *scored_lesion(0.2, elsewhere=9.0)))
    (higher,) = colours_of(picture_of(tmp_path, *scored_lesion(0.3)))

    assert alone == beside_more
    assert alone != higher


def test_colours_go_from_the_threshold_to_four_times_it(tmp_path: Path) -> None:
    (most,) = colours_of(picture_of(tmp_path, *scored_lesion(0.4)))
    (more,) = colours_of(picture_of(tmp_path, *scored_lesion(0.9)))
    (wished,) = colours_of(picture_of(tmp_path, *scored_lesion(0.8), threshold=0.2))

    assert most == more == wished
    assert not colours_of(picture_of(tmp_path, *scored_lesion(0.099)))


def test_the_colour_bar_says_what_is_drawn_and_what_is_not() -> None:
    words = words_of(draw(*scored_lesion()))

    assert {"0.1 (threshold)", "0.2 (2 ×)", "0.3 (3 ×)", "0.4 (4 ×)"} <= set(words)
    assert "below the threshold: not drawn, the scan shows" in words
    assert "above 4 × the threshold: one colour" in words
    assert any("99.5 % of healthy brain voxels" in text for text in words)


def test_a_threshold_of_the_request_is_named_so() -> None:
    volume, scored = scored_lesion()

    words = words_of(draw_preview(volume, scored, summary_of(volume, scored, threshold=0.15)))

    assert any("Threshold 0.15: from the request." in text for text in words)


def test_warnings_are_in_the_picture_and_make_room_for_themselves() -> None:
    long = "the scan is unlike any other, " * 12
    plain = draw(*scored_lesion())
    warned = draw(*scored_lesion(), "left and right may be swapped", long)

    text = "\n".join(words_of(warned)).replace("\n", " ")
    assert "Warning: left and right may be swapped" in text
    assert f"Warning: {long.strip()}" in text
    assert "left and right" not in "\n".join(words_of(plain))
    assert warned.get_figheight() > plain.get_figheight()


@pytest.mark.parametrize(
    ("warnings", "n_lines", "last"),
    [
        (["odd"] * 6, 6, "Warning: odd"),
        (["odd"] * 7, 6, "and 2 more warnings in summary.json"),
        (["odd"] * 300, 6, "and 295 more warnings in summary.json"),
        (["odd", "very odd, " * 60, "odd"], 6, "Warning: odd"),
        (["odd", "very odd, " * 90, "odd"], 2, "and 2 more warnings in summary.json"),
        (["very odd, " * 500], 6, "the whole of it is in summary.json"),
        (["very odd, " * 500, "odd"], 6, "and 1 more warning in summary.json"),
    ],
    ids=["6", "7", "300", "5 and 1", "1 that is long", "long alone", "long first"],
)
def test_very_many_warnings_are_counted_and_not_all_drawn(
    warnings: list[str], n_lines: int, last: str
) -> None:
    volume, scored = scored_lesion()
    summary = summary_of(volume, scored).model_copy(update={"warnings": tuple(warnings)})

    figure = draw_preview(volume, scored, summary)

    (said,) = [text for text in words_of(figure) if text.startswith("Warning: ")]
    assert len(said.splitlines()) == n_lines
    assert said.splitlines()[-1] == last


def test_no_text_leaves_the_picture_or_touches_another_or_a_panel() -> None:
    figure = draw(*scored_lesion(), *["a slice is missing between the others of this series, or more"] * 5)
    figure.canvas.draw()

    texts = bounds_of(figure.findobj(Text))
    panels = [("panel", axes.get_window_extent()) for axes in panels_of(figure)]

    for k, (text, box) in enumerate(texts):
        assert min(box.x0, box.y0) >= 0, text
        assert box.x1 <= figure.bbox.width, text
        assert box.y1 <= figure.bbox.height, text
        for other, place in texts[k + 1 :] + panels:
            assert not box.overlaps(place), (text, other)


def test_every_panel_has_letters_on_its_four_sides() -> None:
    figure = draw(*scored_lesion())
    figure.canvas.draw()
    expected = [("R", "L", "A", "P"), ("R", "L", "S", "I"), ("P", "A", "S", "I")]

    panels = panels_of(figure)
    assert len(panels) >= 3 * len(expected)
    for number, axes in enumerate(panels[:9]):
        box = axes.get_window_extent()
        left, right, top, bottom = (bounds_of([text])[0] for text in axes.texts)
        assert (left[0], right[0], top[0], bottom[0]) == expected[number // 3]
        assert left[1].x1 < box.x0 < box.x1 < right[1].x0
        assert bottom[1].y1 < box.y0 < box.y1 < top[1].y0


def test_every_row_says_its_plane_its_place_in_the_world_and_why_it_is_shown() -> None:
    affine = LAS.copy()
    affine[:3, 3] = 100, -50, 20
    volume, scored = scored_lesion(affine=affine)
    scored.anomaly_map.voxels[15, 20, 18] = 0.35
    scored.anomaly_map.voxels[15, 20, 5] = 0.34

    words = words_of(draw(volume, scored))

    rows = [text for text in words if " = " in text]
    places = ["Axial, z = 38.0 mm", "Coronal, y = -30.0 mm", "Sagittal, x = 85.0 mm"]
    assert [row.split("   ")[0] for row in rows[:3]] == places
    assert all("highest value 0.35 at (85.0, -30.0, 38.0) mm" in row for row in rows[:3])
    assert "worst axial slice: highest total above the threshold" in rows[0]
    assert ["worst axial slices, number" in row for row in rows] == [False, False, False, True]


def test_further_slices_are_shown_only_if_something_in_them_is_above_the_threshold() -> None:
    rows = [text for text in words_of(draw(*scored_lesion())) if " = " in text]

    assert not any("worst axial slices, number" in row for row in rows)


def test_a_slice_of_an_oblique_scan_has_a_range_of_positions() -> None:
    oblique: Affine = np.array([[0, -1, 0.1, 5], [-1.2, 0, 0, 90], [0, 0.1, 1, -40], [0, 0, 0, 1.0]])

    words = words_of(draw(*scored_lesion(affine=oblique)))

    # In the slice k = 17, the lesion's worst: z = 17 - 40 + j / 10, with j from 4 to 43.
    assert any(text.startswith("Axial, z = -23 to -19 mm") for text in words)


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (1, 1, 4), (3, 1, 2)])
def test_a_millimetre_is_as_long_in_all_panels(spacing_mm: tuple[float, float, float]) -> None:
    volume, scored = scored_lesion(affine=np.diag([*spacing_mm, 1.0]))
    edges = 2 + 0.8 * np.array([39, 47, 35])  # about the voxels of the ellipsoid
    right, front, up = edges * spacing_mm

    figure = draw(volume, scored)

    sizes = [axes.get_window_extent().size for axes in panels_of(figure)[:9:3]]
    lengths = np.array(sizes) / [(right, front), (right, up), (front, up)]
    assert lengths.max() / lengths.min() < 1.25  # the margin is in whole voxels
    widths = [size[0] for size in sizes]
    assert widths[0] == widths[1]


def test_bright_tissue_is_not_cut_off() -> None:
    volume, scored = scored_lesion()

    shown = panels_of(draw(volume, scored))[:2]

    brain = volume.voxels[scored.brain_mask]
    for axes in shown:  # the restoration has the window of the scan
        black, white = axes.get_images()[0].get_clim()
        assert np.mean(brain > white) < 0.003
        assert np.mean(brain < black) < 0.011


def test_the_picture_says_that_it_is_for_research_and_what_made_it() -> None:
    text = "\n".join(words_of(draw(*scored_lesion())))

    assert INTENDED_USE in text
    assert "toy/1 00000000, CPUExecutionProvider" in text


def test_an_empty_map_has_a_picture_too(tmp_path: Path) -> None:
    volume, scored = scored_lesion()
    nothing = replace(scored, anomaly_map=volume.with_voxels(np.zeros_like(volume.voxels)))

    picture = picture_of(tmp_path, volume, nothing)

    assert not colours_of(picture)
    assert picture.std() > 20


def test_slices_of_a_map_that_is_low_everywhere_do_not_claim_to_be_above_the_threshold() -> None:
    volume, scored = scored_lesion()
    low = replace(scored, anomaly_map=volume.with_voxels(scored.anomaly_map.voxels / 100))

    assert "none above the threshold" in "\n".join(words_of(draw(volume, low)))
    assert "none above the threshold" not in "\n".join(words_of(draw(volume, scored)))
