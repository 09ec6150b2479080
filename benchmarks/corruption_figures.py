"""How anomalies are drawn, beside the figures that were measured on the reference implementation.

    scripts/run dev python benchmarks/corruption_figures.py

Patches of the MNI152 template (T1w, 1 mm, stripped) that `nilearn` ships, in the field of view of the papers'
scans, under the training configs `paper` and `paper_fpi`. Prints the table of docs/training.md. Tests hold
the same figures to tolerances.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float64
from scipy import ndimage
from scipy.spatial import ConvexHull
from torch import Tensor

from disyre.adapters.nifti import read_nifti
from disyre.errors import Misconfigured
from disyre.volume import Volume
from model_export import corruption, shapes
from model_export.config import PublishedKind, TrainingConfig
from model_export.corruption import corrupt, cut, largest_change, nearest_condition
from model_export.dataset import Scan, SliceBank
from model_export.training_set import TrainingSet

Figures: TypeAlias = dict[str, tuple[float, ...]]
"""What is measured -> one figure, or several percentiles."""
Shape: TypeAlias = Bool[np.ndarray, "i j"]

CONFIGS: Final[Mapping[PublishedKind, str]] = {"dag": "paper", "fpi": "paper_fpi"}
FIELD_OF_VIEW: Final = (240, 240, 155)
"""Voxels of 1 mm, of the atlas that the papers' scans are registered to."""
FIVE: Final = (5, 25, 50, 75, 95)

PUBLISHED: Final[Figures] = {
    "area of rectangles (median)": (0.13,),
    "area of discs (median)": (0.13,),
    "area of blobs (percentiles 50, 95)": (0.52, 0.94),
    "peak of discs, of rectangles (percentile 1)": (0.67, 0.81),
    "masks with a hard edge": (0.44,),
    "blobs cut off by the box": (0.66,),
    "whole blobs: area, px (percentiles 5, 25, 50, 75, 95)": (522, 1014, 1566, 2284, 3404),
    "whole blobs: extent, px (median)": (55,),
    "whole blobs: solidity": (0.80, 0.89, 0.93, 0.95, 0.97),
    "whole blobs: eccentricity": (0.35, 0.54, 0.63, 0.75, 0.85),
    "whole blobs: perimeter² / 4π area": (1.1, 1.2, 1.36, 1.6, 2.3),
    "whole blobs: in one piece": (268 / 300,),
    "whole blobs: centre, px (standard deviation)": (4,),
    "mask's share of the patch (percentiles 5, 50, 100)": (0.01, 0.09, 0.25),
    "DAG: pixels changed by more than 0.01 (median)": (0.06,),
    "FPI: pixels changed by more than 0.01 (median)": (0.05,),
    "DAG: severity of the bias (percentiles 5, 25, 50, 75, 95)": (0.03, 0.20, 0.38, 0.61, 0.87),
    "DAG: severity": (0.19, 0.46, 0.64, 0.81, 0.95),
    "DAG: condition that is told": (9, 19, 29, 38, 55),
    "FPI: condition that is told": (9, 23, 36, 51, 74),
    "DAG: largest change / severity (mean)": (0.95,),
    "FPI: largest change / severity (mean)": (0.68,),
    "DAG: squared error of doing nothing": (0.0100,),
    "FPI: squared error of doing nothing": (0.0024,),
}
"""Of the reference implementation, as measured on the same template."""

_RING: Final = np.array([[10, 2, 10], [2, 1, 2], [10, 2, 10]])
"""Tells a pixel of an outline how its neighbours on it lie: 1 for itself, 2 beside, 10 across."""
_LENGTHS: Final = {
    1.0: (5, 7, 15, 17, 25, 27),
    2**0.5: (21, 33),
    (1 + 2**0.5) / 2: (13, 23),
}
"""Length of outline that a pixel stands for, by what its ring says (Benkrid and Crookes 2000)."""


def read_template() -> Scan:
    """The template in the papers' field of view; only the file is read, nilearn is not imported."""
    spec = find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise Misconfigured("expected nilearn, for its template; `scripts/run dev` has it")
    name = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
    volume = read_nifti(Path(spec.origin).parent / "datasets" / "data" / name)
    framed = np.zeros(FIELD_OF_VIEW, dtype=np.float32)
    height = min(volume.voxels.shape[2], FIELD_OF_VIEW[2])
    (left, back), (width, depth) = ((20, 3), volume.voxels.shape[:2])
    framed[left : left + width, back : back + depth, :height] = volume.voxels[..., :height]
    return Scan("template", Volume(framed, volume.affine), framed > 0)


def training_set(template: Scan) -> TrainingSet:
    """The template's slices, scaled and framed as the papers' configs say."""
    config = TrainingConfig.read(CONFIGS["dag"])
    return TrainingSet.of(SliceBank.of([template], config.intensity, min_frame_px=config.patch_px))


@dataclass(frozen=True, eq=False)
class Sample:
    """One number a patch, of many patches of one kind."""

    severity: Tensor
    """As drawn."""
    bias: Tensor
    change: Tensor
    """Largest one."""
    squared_error: Tensor
    changed: Tensor
    """Share of pixels that differ by more than 0.01."""
    support: Tensor
    """Share of pixels under the mask."""

    @classmethod
    def draw(
        cls, known: TrainingSet, config: TrainingConfig, n_batches: int, generator: torch.Generator
    ) -> "Sample":
        """Corrupt some batches."""
        batches = [_measure_batch(known, config, generator) for _ in range(n_batches)]
        columns = zip(*batches, strict=True)
        return cls(*(torch.cat(column) for column in columns))


def _measure_batch(
    known: TrainingSet, config: TrainingConfig, generator: torch.Generator
) -> tuple[Tensor, ...]:
    healthy, inside = known.draw(config, generator)
    result = corrupt(healthy, inside, config.corruption, generator)
    difference = result.patches - healthy
    corner = corruption.draw_corners(inside, generator)
    foreign = corruption.draw_foreign(healthy, inside, config.corruption.foreign, generator)
    made = corruption.make_published(
        cut(healthy, corner), cut(inside, corner), foreign, result.kind, config.corruption, generator
    )
    return (
        result.severity,
        made.bias,
        largest_change(result.patches, healthy),
        difference.square().mean(dim=(1, 2, 3)),
        (difference.abs() > 0.01).float().mean(dim=(1, 2, 3)),
        (made.m > 0).sum(dim=(1, 2)) / healthy[0].numel(),
    )


def corruption_figures(samples: Mapping[PublishedKind, Sample]) -> Figures:
    """What is known of the reference's corruption, of samples of both kinds."""
    figures: Figures = {}
    for kind, sample in samples.items():
        name = kind.upper()
        told = sample.severity > 0
        ratio = sample.change[told] / sample.severity[told]
        figures |= {
            f"{name}: pixels changed by more than 0.01 (median)": percentiles(sample.changed, (50,)),
            f"{name}: condition that is told": percentiles(nearest_condition(sample.severity), FIVE),
            f"{name}: largest change / severity (mean)": (float(ratio.mean()),),
            f"{name}: squared error of doing nothing": (float(sample.squared_error.mean()),),
        }
    dag = samples["dag"]
    return figures | {
        "mask's share of the patch (percentiles 5, 50, 100)": percentiles(dag.support, (5, 50, 100)),
        "DAG: severity of the bias (percentiles 5, 25, 50, 75, 95)": percentiles(dag.bias, FIVE),
        "DAG: severity": percentiles(dag.severity, FIVE),
    }


def mask_figures(n: int, generator: torch.Generator) -> Figures:
    """Areas and edges of n masks of each family in their boxes."""
    rectangle, disc, blob = (shapes.draw_masks(torch.full((n,), family), generator) for family in range(3))
    together = torch.cat([rectangle, disc, blob])
    hard = ((together < 1e-4) | (together > 1 - 1e-4)).flatten(1).all(dim=1)
    peaks = (percentiles(masks.flatten(1).amax(dim=1), (1,)) for masks in (disc, rectangle))
    return {
        "area of rectangles (median)": percentiles(_area(rectangle), (50,)),
        "area of discs (median)": percentiles(_area(disc), (50,)),
        "area of blobs (percentiles 50, 95)": percentiles(_area(blob), (50, 95)),
        "peak of discs, of rectangles (percentile 1)": tuple(peak for (peak,) in peaks),
        "masks with a hard edge": (float(hard.float().mean()),),
    }


def blob_figures(n: int, generator: torch.Generator) -> Figures:
    """Statistics of n whole blobs, as they are before they are enlarged and cut off by their boxes."""
    whole = [Outline.of(mask) for mask in shapes.unions(torch.ones(n), 128, generator).numpy() > 0]
    enlarged = shapes.unions(shapes.draw_zoom(n, generator), 128, generator)
    around = enlarged.clone()
    around[:, 32:96, 32:96] = 0
    areas, extents, solidities, eccentricities, ratios, pieces = (
        np.array([getattr(each, name) for each in whole])
        for name in ("area", "extent", "solidity", "eccentricity", "compactness", "pieces")
    )
    centres = np.array([each.centre for each in whole])
    return {
        "blobs cut off by the box": (float(around.flatten(1).any(dim=1).float().mean()),),
        "whole blobs: area, px (percentiles 5, 25, 50, 75, 95)": percentiles(areas, FIVE),
        "whole blobs: extent, px (median)": percentiles(extents, (50,)),
        "whole blobs: solidity": percentiles(solidities, FIVE),
        "whole blobs: eccentricity": percentiles(eccentricities, FIVE),
        "whole blobs: perimeter² / 4π area": percentiles(ratios, FIVE),
        "whole blobs: in one piece": (float((pieces == 1).mean()),),
        "whole blobs: centre, px (standard deviation)": (float(centres.std(axis=0).mean()),),
    }


@dataclass(frozen=True)
class Outline:
    """What a shape of pixels is like; several pieces are one shape."""

    area: int
    """Pixels."""
    extent: float
    """Pixels along the longer axis."""
    solidity: float
    """Area as a share of the convex hull's."""
    eccentricity: float
    """Of the ellipse with the same second moments: 0 is a circle."""
    compactness: float
    """Perimeter² / 4π area."""
    pieces: int
    centre: tuple[float, float]

    @classmethod
    def of(cls, shape: Shape) -> "Outline":
        """Measure a shape with at least a few pixels."""
        places = np.argwhere(shape).astype(np.float64)
        corners = np.concatenate([places + half for half in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))])
        # A pixel is not a point: it has second moments of its own.
        minor, major = np.linalg.eigvalsh(np.cov(places.T, bias=True) + np.eye(2) / 12)
        return cls(
            area=len(places),
            extent=float(np.ptp(places, axis=0).max()) + 1,
            solidity=min(1.0, len(places) / ConvexHull(corners).volume),
            eccentricity=float(np.sqrt(1 - minor / major)),
            compactness=perimeter(shape) ** 2 / (4 * np.pi * len(places)),
            pieces=ndimage.label(shape)[1],
            centre=(float(places[:, 0].mean()), float(places[:, 1].mean())),
        )


def perimeter(shape: Shape) -> float:
    """Length of the outline through the middles of its pixels."""
    padded = np.pad(shape, 1)
    outline = padded & ~ndimage.binary_erosion(padded)
    rings = ndimage.convolve(outline.astype(int), _RING, mode="constant")
    return float(sum(length * np.isin(rings, of).sum() for length, of in _LENGTHS.items()))


def percentiles(values: Tensor | Float64[np.ndarray, " n"], wanted: tuple[float, ...]) -> tuple[float, ...]:
    """As plain numbers."""
    return tuple(float(value) for value in np.percentile(np.asarray(values), wanted))


def _area(masks: shapes.Masks) -> Tensor:
    return (masks > 0.5).float().mean(dim=(1, 2))


def measure(n_batches: int, *, seed: int) -> Figures:
    """All figures, in the order of PUBLISHED."""
    known = training_set(read_template())
    generator = torch.Generator().manual_seed(seed)
    samples: dict[PublishedKind, Sample] = {
        kind: Sample.draw(known, TrainingConfig.read(name), n_batches, generator)
        for kind, name in CONFIGS.items()
    }
    found = mask_figures(4000, generator) | blob_figures(2000, generator) | corruption_figures(samples)
    return {name: found[name] for name in PUBLISHED}


def table(figures: Figures) -> Iterator[str]:
    """Markdown: the published figures beside others."""
    yield "| | published | here |"
    yield "|---|---|---|"
    for name, values in figures.items():
        yield f"| {name} | {_text(PUBLISHED[name])} | {_text(values)} |"


def _text(values: tuple[float, ...]) -> str:
    return " ".join(
        f"{value:.4f}" if value < 0.02 else f"{value:.2f}" if value < 4 else f"{value:.0f}"
        for value in values
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    print("\n".join(table(measure(60, seed=0))))
