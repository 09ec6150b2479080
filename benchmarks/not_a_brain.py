"""What of things that are no brain is refused: ellipsoids and outlines of brains, with layers and texture.

    scripts/run dev python benchmarks/not_a_brain.py examples/t1w.nii.gz [--draws 8]

The things are drawn here, not by the code that the network was trained with. The scan lends the outline of
its brain. Prints a JSON line a kind: how many were refused, and by what.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from scipy import ndimage

from disyre import brain
from disyre.adapters.nifti import read_nifti
from disyre.brain_package import BrainPackage
from disyre.errors import NotBrainMr
from disyre.resampling import GridMap
from disyre.types import Mask, Voxels
from disyre.volume import Volume
from worker.onnx_brain import OnnxBrainNetwork

MODELS: Final = Path(__file__).parents[1] / "models"
_SPACING_MM: Final = 2.0
_SHAPE: Final = (100, 120, 100)
_LAYERS: Final = (1, 2, 3, 5, 7)
_TEXTURES: Final = (0.0, 0.05, 0.15, 0.4)
"""Standard deviation of the texture, in ranges of the layers' greys."""

Depth: TypeAlias = Voxels
"""0 at the edge of a thing, 1 at its middle; negative outside."""


def ellipsoid(draws: np.random.Generator) -> Depth:
    """Of the size of a brain, a little off the middle, turned by up to 20 degrees about one axis."""
    axes = (
        np.indices(_SHAPE, dtype=np.float32)
        - (np.array(_SHAPE) / 2 + draws.uniform(-5, 5, 3))[:, None, None, None]
    )
    angle = np.radians(draws.uniform(-20, 20))
    x, y = (
        axes[0] * np.cos(angle) - axes[1] * np.sin(angle),
        axes[0] * np.sin(angle) + axes[1] * np.cos(angle),
    )
    radii = draws.uniform((30, 38, 28), (38, 46, 38))
    return np.asarray(
        1 - np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (axes[2] / radii[2]) ** 2), np.float32
    )


def outline_of(scan: Path) -> Callable[[np.random.Generator], Depth]:
    """The depth in a brain's mask, as a thing to fill."""
    volume = read_nifti(scan)
    grid = GridMap.to_spacing(volume, _SPACING_MM)
    mask: Mask = np.pad(grid.mask_to_model(brain.stripped_mask(volume)), 10)
    inside = ndimage.distance_transform_edt(mask)
    depth = np.where(mask, inside / inside.max(), -ndimage.distance_transform_edt(~mask) / inside.max())
    return lambda _: np.asarray(depth, np.float32)


def texture(draws: np.random.Generator, shape: tuple[int, ...], *, mirrored: bool) -> Voxels:
    """Smooth noise with a standard deviation of 1."""
    noise = ndimage.gaussian_filter(draws.normal(size=shape), draws.uniform(0.7, 4.0))
    if mirrored:
        noise = noise + noise[::-1]
    return np.asarray(noise / noise.std(), np.float32)


def filled(
    draws: np.random.Generator, depth: Depth, *, n_layers: int, spread: float, mirrored: bool
) -> Voxels:
    """Layers of greys with texture on them; in nothing, in noise, or in a shell as a skull."""
    greys = draws.uniform(0.1, 1.0, n_layers)
    borders = np.sort(draws.uniform(0, 0.8, n_layers - 1))
    image = (
        greys[np.searchsorted(borders, np.clip(depth, 0, 1))] if n_layers > 1 else np.full(depth.shape, 0.5)
    )
    range_of_greys = np.ptp(greys) if n_layers > 1 else 1.0
    image = np.clip(
        image + spread * range_of_greys * texture(draws, depth.shape, mirrored=mirrored), 0.01, None
    )
    image = np.where(depth > 0, image, 0)
    around = draws.integers(3)
    if around == 2:
        image = np.where((depth < -0.1) & (depth > -0.3), draws.uniform(0.2, 1.0), image)
    if around > 0:
        image = np.hypot(image, 0.03 * draws.normal(size=depth.shape))
    return np.asarray(image * 1000, np.float32)


def things(outline: Callable[[np.random.Generator], Depth], n_draws: int) -> Iterator[tuple[str, Voxels]]:
    """Every kind, `n_draws` times."""
    draws = np.random.default_rng(0)
    for shape, depth_of in (("ellipsoid", ellipsoid), ("outline of a brain", outline)):
        for n_layers in _LAYERS:
            for spread in _TEXTURES:
                if n_layers == 1 and spread == 0:
                    continue
                for number in range(n_draws):
                    kind = f"{shape}, layers: {n_layers}, texture: {spread}"
                    yield (
                        kind,
                        filled(
                            draws, depth_of(draws), n_layers=n_layers, spread=spread, mirrored=number % 4 == 3
                        ),
                    )


def main() -> None:
    """Show them to the network that ships, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path, help="skull-stripped, for the outline of a brain")
    parser.add_argument("--draws", type=int, default=8, help="of every kind; each fourth has two equal sides")
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    package = BrainPackage.newest(options.models)
    if package is None:
        raise SystemExit(f"expected a brain network in {options.models}, got none")
    finder = OnnxBrainNetwork(package, device="cpu", threads=options.threads).finder
    outcomes: dict[str, Counter[str]] = {}
    for kind, image in things(outline_of(options.scan), options.draws):
        try:
            finder(Volume(image, np.diag([_SPACING_MM] * 3 + [1.0])))
            outcome = "taken"
        except NotBrainMr as error:
            outcome = _reason(str(error))
        outcomes.setdefault(kind, Counter())[outcome] += 1
    for kind, counts in outcomes.items():
        print(json.dumps({"kind": kind, **counts}))
    taken = sum(counts["taken"] for counts in outcomes.values())
    print(json.dumps({"taken": taken, "of": sum(counts.total() for counts in outcomes.values())}))


def _reason(message: str) -> str:
    for words in ("look like brain", "nothing is clearly a brain", "drawn", "no anatomy"):
        if words in message:
            return words
    return message


if __name__ == "__main__":
    main()
