"""The mask beside a scan, as NIfTI: one volume, and what is wrong with its file is said of the mask."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from disyre.adapters.nifti import NiftiFacts, inspect_nifti, read_nifti
from disyre.adapters.nifti_header import read_layout
from disyre.adapters.nifti_stream import opened
from disyre.admission import MAX_VOXELS
from disyre.errors import InvalidInput, NotThreeDimensional
from disyre.volume import Volume


def inspect_mask(path: Path, *, max_voxels: int = MAX_VOXELS) -> NiftiFacts:
    """Check that the file of a mask is whole, without keeping its voxels in memory.

    Raises what `inspect_nifti` raises, of the mask.
    """
    with _of_the_mask():
        _check_one_volume(path, max_voxels)
        return inspect_nifti(path, max_voxels=max_voxels)


def read_mask(path: Path, *, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a mask. Raises what `read_nifti` raises, of the mask."""
    with _of_the_mask():
        _check_one_volume(path, max_voxels)
        return read_nifti(path, max_voxels=max_voxels)


@contextmanager
def _of_the_mask() -> Iterator[None]:
    try:
        yield
    except InvalidInput as error:
        raise type(error)(f"mask: {error}") from error


def _check_one_volume(path: Path, max_voxels: int) -> None:
    """There is no option that picks one of several, as there is for a scan."""
    with opened(path) as stream:
        layout = read_layout(stream, max_voxels)
    if layout.n_volumes > 1:
        raise NotThreeDimensional(
            f"expected a file with one 3-D volume, got {layout.n_volumes} of {layout.shape} voxels; save the "
            "one that is the mask by itself"
        )
