"""A scan that is quick to send and to score."""

import gzip

import numpy as np

from tests.builders import make_volume
from tests.nifti_files import nifti_bytes


def small_scan() -> bytes:
    """A skull-stripped brain of ordinary size in few voxels, as `.nii.gz`."""
    volume = make_volume((48, 48, 30))
    return gzip.compress(nifti_bytes(volume.voxels, np.diag([3.0, 3.0, 3.0, 1.0])), compresslevel=1)
