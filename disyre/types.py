"""Array shapes, named once; the axis order is part of the name. And what opens a file."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Float64

Voxels: TypeAlias = Float32[np.ndarray, "i j k"]
"""Intensities on a voxel grid, in the axis order of the affine (not slice, row, column)."""

Mask: TypeAlias = Bool[np.ndarray, "i j k"]
"""True inside, on a voxel grid."""

Affine: TypeAlias = Float64[np.ndarray, "4 4"]
"""Homogeneous voxel-to-world matrix; world is RAS+ in mm."""

Points: TypeAlias = Float64[np.ndarray, "n 3"]
"""Positions: voxel indices or world mm."""

Slices: TypeAlias = Float32[np.ndarray, "slice i j"]
"""A stack of 2-D images; `i` runs to the right, `j` to the front (RAS, axial)."""

Batch: TypeAlias = Float32[np.ndarray, "batch channel i j"]
"""What a network takes and gives."""

Features: TypeAlias = Float64[np.ndarray, " feature"]
"""Numbers that describe a brain, in the order of `contrast_features.NAMES`."""

Opener: TypeAlias = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens a file at its beginning, wherever it is, as often as it is called."""
