"""A picture of a scored scan (Matplotlib, without a display).

Rows: the axial, coronal and sagittal slice with the most of the map above the threshold, then
the next worst axial ones.
Columns: scan, restoration, map over the scan. Radiological convention: the patient's left is on the right.
Colours depend on the threshold alone, so that pictures with the same threshold can be compared.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from disyre.adapters.map_colours import COLOURS, MOST, WINDOW, MapColours
from disyre.pipeline import ScoredVolume
from disyre.summary_record import Summary
from disyre.views import AXIAL, CORONAL, SAGITTAL, Views, plane
from disyre.volume import Volume
from disyre.wording import counted

_COLUMNS: Final = ("scan", "restored", "scan with the anomaly map")
_PLANES: Final = ("Sagittal", "Coronal", "Axial")
_LETTERS: Final = (("P", "A", "S", "I"), ("R", "L", "S", "I"), ("R", "L", "A", "P"))
"""Of each plane: left, right, top, bottom."""
_N_WORST: Final = 3

_DPI: Final = 100
_CELL: Final = 400
"""Pixels along the longest edge of the brain's box; all panels have one scale."""
_GAP: Final = 30
"""Around a cell, where the letters are."""
_MARGIN: Final = 24
_PAGE: Final = 2 * _MARGIN + 3 * (_CELL + 2 * _GAP)
_LINE: Final = 20
_BETWEEN: Final = 22
"""Above each row."""
_HEAD: Final = 134
"""Above the first row, without the warnings."""
_WARNING_LINES: Final = 6
"""Of the warnings, at most."""
_CHARACTERS: Final = 160
"""Of a line of text."""


def write_preview(path: Path, volume: Volume, scored: ScoredVolume, summary: Summary) -> None:
    """Write a PNG that shows where the map is high, and what the summary warns of."""
    figure = draw_preview(volume, scored, summary)
    figure.savefig(path, facecolor="black", metadata={"Software": summary.software})


def draw_preview(volume: Volume, scored: ScoredVolume, summary: Summary) -> Figure:
    """Draw the picture that `write_preview` writes."""
    views = Views.of(volume, scored)
    shades = MapColours.of(views.scan, views.brain, summary.threshold)
    rows = _choose_rows(views, summary.threshold)
    warnings = _warning_lines(summary.warnings)
    notes = _notes(summary, shades)
    scale = _CELL / max(views.edges_mm)
    heights = [scale * views.edges_mm[1 if row.axis == AXIAL else 2] for row in rows]
    top = _HEAD + _LINE * len(warnings)
    overhead = _BETWEEN + _LINE + 2 * _GAP
    page = _Page.of(top + round(sum(heights)) + overhead * len(rows) + _LINE * (len(notes) + 2))
    _draw_head(page, summary, warnings, shades)
    for row, height in zip(rows, heights, strict=True):
        _draw_row(page, top, views, row, scale, shades)
        top += round(height) + overhead
    page.write(_MARGIN, top + _LINE / 2, "\n".join(notes), color="silver", fontsize=9, linespacing=1.5)
    return page.figure


@dataclass(frozen=True, eq=False)
class _Page:
    """A figure on which things are placed in pixels from the top left."""

    figure: Figure
    height: int

    @classmethod
    def of(cls, height: int) -> "_Page":
        figure = Figure(figsize=(_PAGE / _DPI, height / _DPI), dpi=_DPI, facecolor="black")
        FigureCanvasAgg(figure)
        return cls(figure, height)

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        below = self.height - top - height
        return self.figure.add_axes((left / _PAGE, below / self.height, width / _PAGE, height / self.height))

    def write(self, left: float, top: float, text: str, **style: Any) -> None:
        kept = {"color": "white", "fontsize": 10, "va": "top", "parse_math": False, **style}
        self.figure.text(left / _PAGE, 1 - top / self.height, text, **kept)


@dataclass(frozen=True)
class _Row:
    axis: int
    index: int
    why: str


def _choose_rows(views: Views, threshold: float) -> list[_Row]:
    worst = {
        axis: views.worst_slices(axis, 1 + _N_WORST, threshold=threshold)
        for axis in (AXIAL, CORONAL, SAGITTAL)
    }
    nothing_above = not (views.anomaly_map > threshold).any()
    reason = (
        "highest total, none above the threshold" if nothing_above else "highest total above the threshold"
    )
    first = [
        _Row(axis, found[0], f"worst {_PLANES[axis].lower()} slice: {reason}")
        for axis, found in worst.items()
    ]
    telling = [index for index in worst[AXIAL][1:] if views.peak(AXIAL, index)[0] > threshold]
    return first + [
        _Row(AXIAL, index, f"worst axial slices, number {n}") for n, index in enumerate(telling, start=2)
    ]


def _draw_row(page: _Page, top: float, views: Views, row: _Row, scale: float, shades: MapColours) -> None:
    top += _BETWEEN
    page.write(_MARGIN, top, _label(views, row), fontsize=10.5)
    right, front, up = (scale * mm for mm in views.edges_mm)
    width, height = (front, up) if row.axis == SAGITTAL else (right, front if row.axis == AXIAL else up)
    for column, image in enumerate((views.scan, views.restored, views.scan)):
        left = _MARGIN + _GAP + column * (_CELL + 2 * _GAP) + (_CELL - width) / 2
        place = page.axes(left, top + _LINE + _GAP, width, height)
        place.set_axis_off()
        grey = plane(image, row.axis, row.index)
        place.imshow(grey, cmap="gray", norm=shades.grey, aspect="auto", interpolation="bilinear")
        _write_letters(place, _LETTERS[row.axis])
    values = plane(views.anomaly_map, row.axis, row.index)
    shown = np.ma.masked_less_equal(values, shades.threshold)
    # Opaque, so that a colour means one value whatever lies below it.
    place.imshow(shown, cmap=COLOURS, norm=shades.colour, aspect="auto", interpolation="nearest")


def _label(views: Views, row: _Row) -> str:
    least, most = views.span_mm(row.axis, row.index)
    tilted = most - least >= 1
    position = f"{round(least)} to {round(most)}" if tilted else f"{(least + most) / 2:.1f}"
    lies = "mm, tilted" if tilted else "mm"
    highest, (x, y, z) = views.peak(row.axis, row.index)
    return (
        f"{_PLANES[row.axis]}, {'xyz'[row.axis]} = {position} {lies}   |   {row.why}   |   "
        f"highest value {highest:.3g} at ({x:.1f}, {y:.1f}, {z:.1f}) mm"
    )


def _write_letters(place: Any, letters: tuple[str, str, str, str]) -> None:
    sides = ((0, 0.5, -13, 0), (1, 0.5, 13, 0), (0.5, 1, 0, 13), (0.5, 0, 0, -13))
    for letter, (x, y, right, up) in zip(letters, sides, strict=True):
        place.annotate(
            letter,
            (x, y),
            xycoords="axes fraction",
            xytext=(right, up),
            textcoords="offset pixels",
            color="silver",
            fontsize=10,
            ha="center",
            va="center",
            annotation_clip=False,
        )


def _draw_head(page: _Page, summary: Summary, warnings: list[str], shades: MapColours) -> None:
    found = f"above the threshold: {summary.volume_above_threshold_ml:.1f} mL, regions: {summary.n_regions}"
    page.write(_MARGIN, 16, f"Anomaly score {summary.anomaly_score:.3f}   |   {found}", fontsize=14)
    page.write(_MARGIN, 48, "\n".join(warnings), color="#ffc24d", fontsize=10.5, linespacing=1.37)
    top = 52 + _LINE * len(warnings)
    _draw_colour_bar(page, top + 22, shades)
    for column, title in enumerate(_COLUMNS):
        centre = _MARGIN + (column + 0.5) * (_CELL + 2 * _GAP)
        page.write(centre, top + 74, title, fontsize=12, ha="center")


def _draw_colour_bar(page: _Page, top: float, shades: MapColours) -> None:
    page.write(_PAGE / 2, top - 22, "anomaly map (1 is the scan's white)", ha="center")
    left, width = _PAGE / 2 - 250, 500
    place = page.axes(left, top, width, 14)
    drawn = ScalarMappable(shades.colour, COLOURS.with_extremes(under="dimgray"))
    bar = page.figure.colorbar(drawn, cax=place, orientation="horizontal", extend="both")
    ticks = [n * shades.threshold for n in range(1, MOST + 1)]
    names = ["threshold", *(f"{n} ×" for n in range(2, MOST + 1))]
    labels = [f"{value:.3g} ({name})" for value, name in zip(ticks, names, strict=True)]
    bar.set_ticks(ticks, labels=labels)
    place.tick_params(colors="white", labelsize=9)
    page.write(left - 12, top, "below the threshold: not drawn, the scan shows", ha="right", fontsize=9)
    page.write(left + width + 12, top, f"above {MOST} × the threshold: one colour", fontsize=9)


def _notes(summary: Summary, shades: MapColours) -> list[str]:
    low, high = WINDOW
    percentile, compared = summary.healthy_percentile, summary.healthy_comparison
    meaning = (
        f"from the {summary.threshold_source}"
        if percentile is None
        else f"{percentile:g} % of healthy brain voxels lie below it"
    )
    texts = (
        f"Threshold {summary.threshold:.3g}: {meaning}.",
        *([] if compared is None else [f"Among healthy brains: {compared.in_words}."]),
        "Only these slices are drawn: the map is in anomaly.nii.gz, the largest regions in summary.json.",
        f"Grey is from {shades.grey.vmin:.4g} to {shades.grey.vmax:.4g} (percentiles {low:g} and {high:g} of "
        "the scan's brain), in the restored scan too.",
        "Positions are world mm (RAS), as in summary.json. All panels have one scale.",
        f"{summary.model.name}/{summary.model.version} {summary.model.sha256[:8]}, {summary.provider}, "
        f"{summary.software}",
        summary.intended_use,
    )
    return [line for text in texts for line in _wrap(text)]


def _warning_lines(warnings: Sequence[str]) -> list[str]:
    """Warnings in lines; of very many, the first, and how many more there are."""
    wrapped = [_wrap(f"Warning: {text}") for text in warnings]
    if sum(map(len, wrapped)) <= _WARNING_LINES:
        return [line for lines in wrapped for line in lines]
    room = _WARNING_LINES - 1
    n_shown = max(1, sum(n <= room for n in accumulate(map(len, wrapped))))
    shown = [line for lines in wrapped[:n_shown] for line in lines][:room]
    n_more = len(wrapped) - n_shown
    more = f"and {counted(n_more, 'more warning')}" if n_more else "the whole of it is"
    return [*shown, f"{more} in summary.json"]


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, _CHARACTERS)
