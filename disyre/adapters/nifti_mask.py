"""The mask beside a scan, as NIfTI: one volume, and what is wrong with its file is said of the mask."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from disyre import geometry
from disyre.adapters.nifti import read_nifti
from disyre.adapters.nifti_header import NiftiLayout, read_layout
from disyre.adapters.nifti_stream import check_end, opened, skip
from disyre.adapters.nifti_voxels import read_slices
from disyre.admission import MAX_VOXELS
from disyre.errors import InvalidInput, NotThreeDimensional
from disyre.types import Affine
from disyre.volume import Volume


@dataclass(frozen=True, eq=False)
class MaskFacts:
    """What the file of a mask says."""

    shape: tuple[int, int, int]
    affine: Affine
    size_ml: float
    """Of what is above 0."""


def inspect_mask(path: Path, *, max_voxels: int = MAX_VOXELS) -> MaskFacts:
    """Check that the file of a mask is whole, and how much is in it; no more than a slice is in memory.

    Raises what `inspect_nifti` raises, of the mask.
    """
    with _of_the_mask(), opened(path) as stream:
        layout = read_layout(stream, max_voxels)
        _check_one_volume(layout)
        skip(stream, layout.offset)
        n_above = sum(int(np.count_nonzero(voxels > 0)) for voxels, _ in read_slices(stream, layout))
        check_end(stream)
    return MaskFacts(layout.shape, layout.affine, n_above * geometry.voxel_volume_ml(layout.affine))


def read_mask(path: Path, *, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a mask. Raises what `read_nifti` raises, of the mask."""
    with _of_the_mask():
        with opened(path) as stream:
            _check_one_volume(read_layout(stream, max_voxels))
        return read_nifti(path, max_voxels=max_voxels)


@contextmanager
def _of_the_mask() -> Iterator[None]:
    try:
        yield
    except InvalidInput as error:
        raise type(error)(f"mask: {error}") from error


def _check_one_volume(layout: NiftiLayout) -> None:
    """There is no option that picks one of several, as there is for a scan."""
    if layout.n_volumes > 1:
        raise NotThreeDimensional(
            f"expected a file with one 3-D volume, got {layout.n_volumes} of {layout.shape} voxels; save the "
            "one that is the mask by itself"
        )
