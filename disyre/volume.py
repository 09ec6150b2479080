"""Voxels that never travel without their affine."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from disyre import geometry
from disyre.errors import NotThreeDimensional, UnsupportedGeometry
from disyre.types import Affine, Voxels


@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar image and its place in the world. Treat the arrays as read-only.

    Raises NotThreeDimensional or UnsupportedGeometry for what cannot be a volume.
    """

    voxels: Voxels
    affine: Affine
    """Voxel to world (RAS+, mm)."""

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3 or 0 in self.voxels.shape:
            raise NotThreeDimensional(
                f"a volume has 3 axes that are not empty, got shape {self.voxels.shape}"
            )
        if self.affine.shape != (4, 4):
            raise UnsupportedGeometry(f"an affine is 4 x 4, got shape {self.affine.shape}")
        geometry.axes_to_ras(self.affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along i, j and k."""
        i, j, k = self.voxels.shape
        return i, j, k

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along i, j and k, in mm."""
        return geometry.spacing_mm(self.affine)

    @property
    def orientation(self) -> str:
        """Axis codes of the voxel grid, as in "RAS"."""
        return geometry.orientation(self.affine)

    def with_voxels(self, voxels: Voxels) -> Self:
        """The same place with other values, such as an anomaly map."""
        if voxels.shape != self.voxels.shape:
            raise ValueError(f"expected voxels of shape {self.voxels.shape}, got {voxels.shape}")
        return type(self)(voxels=np.asarray(voxels), affine=self.affine)
