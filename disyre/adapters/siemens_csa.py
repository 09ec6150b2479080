"""The private header of Siemens, of which mosaics need two facts (nibabel)."""

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it calls all of its readers experimental, of which one is used here
    from nibabel.nicom import csareader

_UNIT_TOLERANCE: Final = 1e-3
MOST_TILES: Final = 1024


@dataclass(frozen=True, eq=False)
class MosaicFacts:
    """What a mosaic does not say anywhere else."""

    n_slices: int
    normal: npt.NDArray[np.float64]
    """The direction of slices that follow one another, of length 1, in the world of the images (LPS)."""


def mosaic_facts(header: bytes) -> MosaicFacts | None:
    """The facts in a CSA image header; None if it does not say them.

    Raises what nibabel does if it is damaged.
    """
    csa = csareader.read(header)
    n_slices, normal = csareader.get_n_mosaic(csa), csareader.get_slice_normal(csa)
    if n_slices is None or not 1 <= n_slices <= MOST_TILES or normal is None:
        return None
    direction = np.asarray(normal, dtype=np.float64)
    if not abs(float(np.linalg.norm(direction)) - 1) <= _UNIT_TOLERANCE:
        return None
    return MosaicFacts(int(n_slices), direction)
