"""A picture of a scored scan (Matplotlib, without a display).

Rows: the axial, coronal and sagittal slice with the highest total of the map, then the next worst axial ones.
Columns: scan, restoration, map over the scan. Radiological convention: the patient's left is on the right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from disyre import geometry
from disyre.pipeline import ScoredVolume
from disyre.summary import Summary
from disyre.types import Voxels
from disyre.volume import Volume

Plane = Float[np.ndarray, "row column"]

_N_WORST = 3
_WORST_APART_MM = 12.0
"""Least distance between two of the slices that are shown as the worst."""
_PLANES = ("sagittal", "coronal", "axial")
_COLUMNS = ("scan", "restored", "anomaly map")


@dataclass(frozen=True, eq=False)
class _Views:
    """The scan, its restoration and its map in RAS order."""

    scan: Voxels
    restored: Voxels
    anomaly_map: Voxels
    brain: Voxels
    spacing_mm: tuple[float, float, float]
    names: tuple[str, str, str]
    """Native axis, as "i", that runs along each."""
    first: tuple[int, ...]
    """Native index of the first slice along each axis."""
    signs: tuple[int, int, int]
    """-1 where the native index falls."""

    def label(self, axis: int, index: int) -> str:
        """Name a slice as a viewer does that shows the file's own voxel indices."""
        return f"{_PLANES[axis]} {self.names[axis]} = {self.first[axis] + self.signs[axis] * index}"

    def images(self) -> tuple[Voxels, Voxels, Voxels]:
        return self.scan, self.restored, self.anomaly_map


def write_preview(path: Path, volume: Volume, scored: ScoredVolume, summary: Summary) -> None:
    """Write a PNG that shows where the map is high."""
    views = _crop(_to_ras(volume, scored))
    cuts = [(axis, _worst_slices(views, axis, 1)[0]) for axis in (2, 1, 0)]
    cuts += [(2, k) for k in _worst_slices(views, 2, 1 + _N_WORST)[1:]]
    figure = Figure(figsize=(8.6, 2.62 * len(cuts) + 1.35), facecolor="black", layout="constrained")
    FigureCanvasAgg(figure)
    top = figure.add_gridspec(len(cuts), 4, width_ratios=(1, 1, 1, 0.035))
    scale = _Scale.of(views, summary.threshold)
    for row, (axis, index) in enumerate(cuts):
        axes = [figure.add_subplot(top[row, column]) for column in range(3)]
        _draw_row(axes, views, axis, index, scale, first=row == 0)
    _draw_colour_bar(figure, figure.add_subplot(top[:, 3]), scale)
    _write_captions(figure, summary)
    figure.savefig(path, dpi=110, facecolor="black", metadata={"Software": summary.software})


@dataclass(frozen=True)
class _Scale:
    white: float
    """Intensity that is shown as white."""
    least: float
    """Map value below which the scan shows through."""
    most: float
    threshold: float

    @classmethod
    def of(cls, views: _Views, threshold: float) -> "_Scale":
        white = float(np.percentile(views.scan[views.brain > 0], 99.5))
        # A few bright voxels at the rim must not leave everything else dark.
        high = float(np.percentile(views.anomaly_map[views.brain > 0], 99.9))
        most = max(high, 2.5 * threshold)
        return cls(white=max(white, 1e-6), least=threshold / 2, most=most, threshold=threshold)


def _to_ras(volume: Volume, scored: ScoredVolume) -> _Views:
    axes, signs = geometry.axes_to_ras(volume.affine)
    flips = tuple(slice(None, None, sign) for sign in signs)
    arrays = [volume.voxels, scored.restored.voxels, scored.anomaly_map.voxels, scored.brain_mask]
    scan, restored, anomaly_map, brain = (a.transpose(axes)[flips].astype(np.float32) for a in arrays)
    right, front, up = axes
    last = [volume.shape[axis] - 1 for axis in axes]
    return _Views(
        scan,
        restored,
        anomaly_map,
        brain,
        spacing_mm=(volume.spacing_mm[right], volume.spacing_mm[front], volume.spacing_mm[up]),
        names=("ijk"[right], "ijk"[front], "ijk"[up]),
        first=tuple(0 if sign > 0 else n for n, sign in zip(last, signs, strict=True)),
        signs=signs,
    )


def _crop(views: _Views) -> _Views:
    """Cut to the brain and a little around it."""
    found = np.argwhere(views.brain > 0)
    margin = [round(6 / s) for s in views.spacing_mm]
    box = tuple(
        slice(max(0, int(a) - m), int(b) + m + 1)
        for a, b, m in zip(found.min(axis=0), found.max(axis=0), margin, strict=True)
    )
    scan, restored, anomaly_map, brain = (image[box] for image in (*views.images(), views.brain))
    first = [f + sign * side.start for f, sign, side in zip(views.first, views.signs, box, strict=True)]
    return replace(
        views,
        scan=scan,
        restored=restored,
        anomaly_map=anomaly_map,
        brain=brain,
        first=tuple(first),
    )


def _worst_slices(views: _Views, axis: int, n: int) -> list[int]:
    """At most `n` slices across an axis with the highest total of the map, some way apart."""
    totals = views.anomaly_map.sum(axis=tuple(other for other in range(3) if other != axis))
    apart = max(1.0, _WORST_APART_MM / views.spacing_mm[axis])
    chosen: list[int] = []
    for index in np.argsort(-totals):
        if len(chosen) < n and all(abs(int(index) - other) >= apart for other in chosen):
            chosen.append(int(index))
    return chosen


def _plane(voxels: Voxels, axis: int, index: int) -> Plane:
    """A slice as it is shown: up or front at the top, the patient's right on the left."""
    plane = voxels.take(index, axis=axis).T[::-1]
    return np.asarray(plane if axis == 0 else plane[:, ::-1])


def _draw_row(
    axes: Sequence[Any], views: _Views, axis: int, index: int, scale: _Scale, *, first: bool
) -> None:
    scan, restored, anomaly_map = (_plane(image, axis, index) for image in views.images())
    side = [s for a, s in enumerate(views.spacing_mm) if a != axis]
    aspect = side[1] / side[0]
    for place, plane, title in zip(axes, (scan, restored, scan), _COLUMNS, strict=True):
        place.imshow(plane, cmap="gray", vmin=0, vmax=scale.white, aspect=aspect, interpolation="nearest")
        place.set_axis_off()
        if first:
            place.set_title(title, color="white", fontsize=11)
    shown = np.ma.masked_less(anomaly_map, scale.least)
    axes[2].imshow(
        shown, cmap="inferno", vmin=0, vmax=scale.most, aspect=aspect, interpolation="nearest", alpha=0.85
    )
    if (anomaly_map > scale.threshold).any():
        axes[2].contour(anomaly_map > scale.threshold, levels=[0.5], colors="cyan", linewidths=0.6)
    _write_letters(axes[0], axis, views.label(axis, index))


def _write_letters(place: Any, axis: int, label: str) -> None:
    left, right = ("R", "L") if axis != 0 else ("P", "A")
    style = {"color": "white", "fontsize": 9, "transform": place.transAxes, "va": "center"}
    place.text(0.5, -0.06, label, ha="center", **style)
    place.text(0.02, 0.5, left, ha="left", **style)
    place.text(0.98, 0.5, right, ha="right", **style)


def _draw_colour_bar(figure: Figure, place: Any, scale: _Scale) -> None:
    ramp = np.linspace(0, scale.most, 256)[:, np.newaxis]
    place.imshow(ramp, cmap="inferno", aspect="auto", origin="lower", extent=(0, 1, 0, scale.most))
    place.axhline(scale.threshold, color="cyan", linewidth=1)
    place.set_xticks([])
    place.yaxis.tick_right()
    place.tick_params(colors="white", labelsize=8)


def _write_captions(figure: Figure, summary: Summary) -> None:
    found = f"{summary.volume_above_threshold_ml:.1f} mL above {summary.threshold:.3g} (cyan)"
    title = f"anomaly score {summary.anomaly_score:.3f}   |   {found}, {summary.n_regions} regions"
    model = f"{summary.model.name}/{summary.model.version} {summary.model.sha256[:8]}, {summary.provider}"
    figure.suptitle(f"\n{title}", color="white", fontsize=11)  # the blank line is a margin
    figure.supxlabel(f"{model}\n{summary.intended_use}", color="silver", fontsize=7.5)
