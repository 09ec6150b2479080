"""Semi-synthetic cases: real lesion shapes in healthy brains, painted as lesions look in the modality.

Every size is as frequent as every other, and so is every strength, from plain to subtle. A case depends on
the seed, its number and the scans, not on how many are asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from disyre import scoring
from disyre.adapters.nifti import read_nifti
from disyre.errors import InvalidInput
from disyre.modality import Modality
from disyre.types import Mask
from disyre.volume import Volume
from model_export.dataset import Scan
from model_export.evaluation.appearance import LOOKS, STRENGTHS, Strength, Tissues, paint
from model_export.evaluation.cases import Case
from model_export.evaluation.placement import place

SIZES_ML: Final = ((0.2, 1.0), (1.0, 5.0), (5.0, 20.0), (20.0, 100.0))
"""Smallest and largest volume of a shape, as it lies in MNI space."""
_LEAST_INSIDE: Final = 0.5
"""Share of a placed shape that has to lie in brain tissue; the rest, such as in fluid, is cut off."""
_LEAST_ML: Final = 0.05
_TRIES: Final = 200


@dataclass(frozen=True)
class _Plan:
    """What a case is to be."""

    size_ml: tuple[float, float]
    strength: Strength
    look: str


class Shapes:
    """Lesion masks in MNI space, read when they are needed."""

    def __init__(self, folder: Path) -> None:
        """Raises InvalidInput if there are none."""
        self._paths = sorted(folder.glob("*_lesion.nii*"))
        self._sizes_ml: dict[Path, float] = {}
        if not self._paths:
            raise InvalidInput("expected lesion shapes named *_lesion.nii.gz, found none")

    def draw(self, size_ml: tuple[float, float], rng: np.random.Generator) -> tuple[str, Volume]:
        """A random shape of this size. Raises InvalidInput if none is found."""
        for number in rng.permutation(len(self._paths)):
            path = self._paths[number]
            if not size_ml[0] <= self._sizes_ml.get(path, size_ml[0]) <= size_ml[1]:
                continue
            shape = read_nifti(path)
            self._sizes_ml[path] = scoring.mask_volume_ml(shape.voxels > 0, shape.affine)
            if size_ml[0] <= self._sizes_ml[path] <= size_ml[1]:
                return path.name.split(".")[0], shape
        raise InvalidInput(f"expected lesion shapes of {size_ml[0]:g} to {size_ml[1]:g} mL, found none")


def semi_synthetic_cases(
    scans: Sequence[Scan], shapes_folder: Path, modality: Modality, n: int, seed: int
) -> Iterator[Case]:
    """`n` cases, the scans taking turns. `shapes_folder` has lesion masks in MNI space, `*_lesion.nii.gz`.

    Raises InvalidInput if there is no scan or no shape, or if none of the shapes finds a place.
    """
    if not scans:
        raise InvalidInput("expected healthy scans to put lesions into, got none")
    shapes = Shapes(shapes_folder)
    tissues = [Tissues.of(scan, modality) for scan in scans]
    for number in range(n):
        donor = number % len(scans)
        rng = np.random.default_rng([seed, number])
        plan = _plan(number, seed, modality)
        yield _make_case(f"case-{number + 1:03d}", scans[donor], tissues[donor], shapes, plan, modality, rng)


def _plan(number: int, seed: int, modality: Modality) -> _Plan:
    """Sizes and strengths in all combinations, shuffled, and then again; looks by chance."""
    grid = [(size, strength) for size in SIZES_ML for strength in STRENGTHS]
    block, within = divmod(number, len(grid))
    rng = np.random.default_rng([seed, block, 1])
    size_ml, strength = grid[rng.permutation(len(grid))[within]]
    looks = list(LOOKS[modality])
    return _Plan(size_ml, strength, looks[rng.integers(len(looks), size=len(grid))[within]])


def _make_case(
    name: str,
    scan: Scan,
    tissues: Tissues,
    shapes: Shapes,
    plan: _Plan,
    modality: Modality,
    rng: np.random.Generator,
) -> Case:
    shape_name, lesion = _placed(shapes, plan.size_ml, scan, tissues, rng)
    look = LOOKS[modality][plan.look](tissues, rng)
    strength = float(rng.uniform(*STRENGTHS[plan.strength]))
    voxels = paint(scan, lesion, tissues, look, strength, rng)
    change = np.abs(voxels - scan.volume.voxels)[lesion].mean() / tissues.contrast
    facts: dict[str, str | float] = {
        "scan": scan.name,
        "shape": shape_name,
        "look": plan.look,
        "strength": plan.strength,
        "replaced": round(strength, 3),
        "size_ml": round(scoring.mask_volume_ml(lesion, scan.volume.affine), 3),
        "change": round(float(change), 3),
    }
    return Case(name, scan.volume.with_voxels(voxels), scan.brain_mask, lesion, facts)


def _placed(
    shapes: Shapes, size_ml: tuple[float, float], scan: Scan, tissues: Tissues, rng: np.random.Generator
) -> tuple[str, Mask]:
    """A shape, and where of it is brain tissue."""
    for _ in range(_TRIES):
        name, shape = shapes.draw(size_ml, rng)
        whole = place(shape, scan, rng)
        lesion = whole & scan.brain_mask & ~tissues.is_csf
        is_large = scoring.mask_volume_ml(lesion, scan.volume.affine) >= _LEAST_ML
        if is_large and lesion.sum() >= _LEAST_INSIDE * whole.sum():
            return name, lesion
    raise InvalidInput(f"expected a brain with room for lesions of {size_ml[0]:g} to {size_ml[1]:g} mL")
