"""Pictures for the report: maps beside masks, and precision-recall curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from jaxtyping import Bool, Float16, Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from disyre import scoring
from disyre.crop import Crop
from disyre.resampling import reorient
from disyre.types import Mask, Voxels
from disyre.volume import Volume
from model_export.evaluation.cases import Case
from model_export.evaluation.metrics import Curve

Picture: TypeAlias = Float32[np.ndarray, "row column"] | Float16[np.ndarray, "row column"]
"""An axial slice as it is shown: front at the top, the patient's right on the left."""

_TOP: Final = 99.8
"""Percentile of a map in the slices of a row that is shown as brightest."""
_MARGIN_MM: Final = 4.0
_CURVE_POINTS: Final = 1000
_BACKGROUND: Final = "#101014"


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One slice of a case: where most of the lesion is."""

    case: str
    title: str
    image: Picture
    lesion: Bool[np.ndarray, "row column"]
    maps: Mapping[str, Picture]
    """By method."""
    aspect: float
    """Height of a pixel over its width."""
    tops: Mapping[str, float] = field(default_factory=dict)
    """Of the maps whose colours are this row's own: the value that is shown as brightest."""


def show(case: Case, maps: Mapping[str, Voxels], *, most_of: Mask | None = None) -> Exhibit:
    """Cut one slice out of a case and its maps: that with the most lesion, or the most of another mask."""
    chosen = case.lesion if most_of is None else most_of
    lesion, shown = (_upright(case, mask.astype(np.float32)) > 0 for mask in (case.lesion, chosen))
    box = Crop.around(_upright(case, case.brain_mask.astype(np.float32)) > 0, margins=(3, 3, 0))
    lesion = box.cut(lesion)
    k = int(box.cut(shown).sum(axis=(0, 1)).argmax())
    spacing = reorient(case.volume, np.eye(4)).spacing_mm

    def cut(voxels: Voxels) -> Picture:
        return np.asarray(box.cut(_upright(case, voxels))[::-1, ::-1, k].T, dtype=np.float16)

    low, high = np.percentile(case.volume.voxels[case.brain_mask], [0.5, 99.5])
    image = np.clip((case.volume.voxels - low) / (high - low), 0, 1).astype(np.float32)
    return Exhibit(
        case=case.name,
        title=_title(case),
        image=cut(np.where(case.brain_mask, image, np.float32(0))),
        lesion=lesion[::-1, ::-1, k].T,
        maps={name: cut(found) for name, found in maps.items()},
        aspect=spacing[1] / spacing[0],
    )


def draw_exhibits(
    path: Path,
    exhibits: Sequence[Exhibit],
    captions: Mapping[str, Mapping[str, str]],
    methods: Sequence[str],
    *,
    thresholds: Mapping[str, float] | None = None,
) -> None:
    """A row a case: the scan, the scan with its lesion outlined, and the map of each method.

    `captions` are by case and method. The colours of a method mean the same in all rows, but for those of
    an exhibit's own. A bar beside each map says which values they are, with a line at the method's threshold.
    """
    columns = 2 + len(methods)
    figure = Figure(figsize=(2.3 * columns, 2.9 * len(exhibits)), facecolor=_BACKGROUND)
    axes = figure.subplots(len(exhibits), columns, squeeze=False)
    tops = {
        name: max(np.percentile(one.maps[name].astype(np.float32), _TOP) for one in exhibits)
        for name in methods
    }
    for row, one in zip(axes, exhibits, strict=True):
        for axis in row:
            axis.set_axis_off()
        row[0].imshow(one.image.astype(np.float32), cmap="gray", vmin=0, vmax=1, aspect=one.aspect)
        _write(row[0], one.title)
        row[1].imshow(one.image.astype(np.float32), cmap="gray", vmin=0, vmax=1, aspect=one.aspect)
        _outline(row[1], one.lesion, colour="#ffd23f")
        _write(row[1], "lesion (outlined)" if one.lesion.any() else "no lesion in this slice")
        for axis, name in zip(row[2:], methods, strict=True):
            found = one.maps[name].astype(np.float32)
            top = max(one.tops.get(name, tops[name]), 1e-6)
            image = axis.imshow(found, cmap="inferno", vmin=0, vmax=top, aspect=one.aspect)
            threshold = (thresholds or {}).get(name, float("nan"))
            _add_bar(image, axis, threshold if threshold <= top else None)
            _outline(axis, one.lesion, colour="#8fd3ff")
            _write(axis, f"{name}\n{captions[one.case][name]}")
    figure.tight_layout(pad=0.6, h_pad=1.4)
    figure.savefig(path, dpi=110, facecolor=_BACKGROUND, bbox_inches="tight", pad_inches=0.1)


def _add_bar(image: AxesImage, axis: Axes, threshold: float | None) -> None:
    """The colours of a map, with a line at a threshold if there is one among their values."""
    bar = axis.figure.colorbar(image, ax=axis, fraction=0.04, pad=0.02)
    bar.ax.tick_params(colors="white", labelsize=6, length=2)
    if threshold is not None:
        bar.ax.axhline(threshold, color="#8fd3ff", linewidth=1.6)


def draw_curves(path: Path, curves: Mapping[str, Curve]) -> None:
    """Precision against recall, a line for each method, with the point of the best Dice."""
    figure = Figure(figsize=(7, 4.6))
    axis = figure.subplots()
    for name, found in curves.items():
        shown = np.unique(np.linspace(0, found.thresholds.size - 1, _CURVE_POINTS).astype(int))
        label = f"{name} (AP {found.average_precision:.3f})"
        (line,) = axis.plot(found.recall[shown], found.precision[shown], label=label, linewidth=1.8)
        best = int(found.dice.argmax())
        axis.plot(found.recall[best], found.precision[best], "o", color=line.get_color(), markersize=6)
    axis.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axis.set_title("Voxels of all cases; a dot is where the Dice is best", fontsize=10)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(path, dpi=130, bbox_inches="tight")


def _upright(case: Case, voxels: Voxels) -> Voxels:
    return reorient(Volume(voxels, case.volume.affine), np.eye(4)).voxels


def _title(case: Case) -> str:
    facts = case.facts
    if "look" not in facts:
        return f"{case.name}\nlesion of {scoring.mask_volume_ml(case.lesion, case.volume.affine):.1f} mL"
    return f"{case.name}\n{facts['look']}, {facts['strength']}, {facts['size_ml']:.1f} mL"


def _write(axis: Axes, text: str) -> None:
    axis.set_title(text, color="white", fontsize=8, pad=3)


def _outline(axis: Axes, lesion: Bool[np.ndarray, "row column"], *, colour: str) -> None:
    if lesion.any():
        axis.contour(lesion.astype(np.float32), levels=[0.5], colors=[colour], linewidths=0.9)
