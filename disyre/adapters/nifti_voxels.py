"""The voxels of one volume of a NIfTI file, as float32 with their scaling applied."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from disyre.adapters.nifti_header import NiftiLayout
from disyre.adapters.nifti_stream import read_exactly
from disyre.progress import OnStep, go_on
from disyre.types import Voxels


def read_slices(stream: BinaryIO, layout: NiftiLayout) -> Iterator[tuple[Voxels, int]]:
    """Slice by slice along the last axis, so that the file's own type is never in memory as a whole.

    Each with how many of its values are finite in the file, and infinite or NaN as float32. Raises
    UnreadableVolume if there are fewer bytes.
    """
    i, j, n_slices = layout.shape
    is_scaled = (layout.slope, layout.inter) != (1.0, 0.0)
    for _ in range(n_slices):
        raw = np.frombuffer(read_exactly(stream, i * j * layout.dtype.itemsize), dtype=layout.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and counted
            values = raw.astype(np.float64) * layout.slope + layout.inter if is_scaled else raw
            voxels = values.astype(np.float32)
        wrong = ~np.isfinite(voxels)
        yield voxels.reshape((i, j), order="F"), int(np.count_nonzero(np.isfinite(raw[wrong])))


def read_voxels(stream: BinaryIO, layout: NiftiLayout, *, on_step: OnStep = go_on) -> tuple[Voxels, int]:
    """All slices, and the sum of what is said of each; `on_step` is called after each.

    Raises UnreadableVolume.
    """
    voxels = np.empty(layout.shape, dtype=np.float32, order="F")
    n_too_large = 0
    for k, (values, n) in enumerate(read_slices(stream, layout)):
        voxels[:, :, k] = values
        n_too_large += n
        on_step()
    return voxels, n_too_large
