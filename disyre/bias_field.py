"""Bias field: the shading that receive coils leave on a scan, as a smooth factor in its brain."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np

from disyre.crop import Crop
from disyre.resampling import GridMap
from disyre.types import Mask, Voxels
from disyre.volume import Volume

FindBias: TypeAlias = Callable[[Voxels, Mask, tuple[float, float, float]], Voxels]
"""Intensities above the background, the brain, and the spacing in mm of a coarse grid -> natural logarithm of
the smooth factor on the same grid."""

SPACING_MM: Final = 6.0
"""Of the coarse grid: shading is far smoother, and the time grows with the number of voxels."""
_MARGIN: Final = 2
"""Coarse voxels around the brain."""
_LEAST_ML: Final = 50.0
"""In less brain, shading cannot be told from tissue."""


@dataclass(frozen=True, eq=False)
class BiasField:
    """How much brighter than it should be each voxel is."""

    factor: Voxels
    """On the scan's grid: above 0, with a geometric mean of 1 over the brain; exactly 1 outside the brain."""
    brain_mask: Mask

    @classmethod
    def measure(cls, volume: Volume, brain_mask: Mask, black: float, find_bias: FindBias) -> Self:
        """The shading of a scan in which the intensity `black` stands for nothing.

        It is looked for on a coarse grid, and interpolated. A piece of brain that is too small has none.
        """
        i, j, k = (int(np.ceil(_MARGIN * SPACING_MM / mm)) for mm in volume.spacing_mm)
        crop = Crop.around(brain_mask, margins=(i, j, k))
        inside = crop.cut(brain_mask)
        grid = GridMap.to_spacing(crop.volume(volume), SPACING_MM, exactly=True)
        share = grid.to_model(inside.astype(np.float32))
        coarse_brain = share >= 0.5
        factor = np.ones(volume.shape, dtype=np.float32)
        if np.count_nonzero(coarse_brain) * SPACING_MM**3 / 1000 < _LEAST_ML:
            return cls(factor, brain_mask)
        light = grid.to_model(np.where(inside, np.maximum(crop.cut(volume.voxels) - np.float32(black), 0), 0))
        log_factor = find_bias(
            np.where(coarse_brain, light / np.maximum(share, np.float32(0.5)), np.float32(0)),
            coarse_brain,
            (SPACING_MM,) * 3,
        )
        native = crop.paste(grid.to_native(log_factor))[brain_mask]
        factor[brain_mask] = np.exp(native - native.mean(dtype=np.float64))
        return cls(factor, brain_mask)

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest factor in the brain."""
        values = self.factor[self.brain_mask]
        return float(values.min()), float(values.max())

    def remove(self, volume: Volume, black: float) -> Volume:
        """The scan as it would be without the shading; what is outside the brain stays as it is."""
        nothing = np.float32(black)
        even = (volume.voxels - nothing) / self.factor + nothing
        return volume.with_voxels(np.where(self.brain_mask, even, volume.voxels))
