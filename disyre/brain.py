"""Where the brain is: a mask that was given, or everything that is not background."""

import numpy as np
from scipy import ndimage

from disyre.errors import EmptyImage, MaskMismatch, NotBrainMr
from disyre.types import Mask
from disyre.volume import Volume

_SAME_PLACE_MM = 0.5
"""Largest distance between the corners of two grids that are still called the same."""
_STRIPPED_BACKGROUND = 0.2
"""Least share of voxels with the background's value in a scan that counts as skull-stripped."""


def given_mask(volume: Volume, mask: Volume) -> Mask:
    """A brain mask that came with the scan: what is above 0.

    Raises MaskMismatch if it lies on another grid or is empty.
    """
    if mask.shape != volume.shape:
        raise MaskMismatch(f"expected a mask of the scan's shape {volume.shape}, got {mask.shape}")
    corners = np.array(np.meshgrid(*([0, n - 1] for n in volume.shape), [1], indexing="ij")).reshape(4, -1)
    distance = np.abs(volume.affine @ corners - mask.affine @ corners).max()
    if distance > _SAME_PLACE_MM:
        raise MaskMismatch(
            f"expected a mask on the scan's grid, got one whose corners lie {distance:.1f} mm away"
        )
    inside = mask.voxels > 0
    if not inside.any():
        raise MaskMismatch("expected a mask with voxels above 0, got an empty one")
    return np.asarray(inside)


def stripped_mask(volume: Volume) -> Mask:
    """The brain in a scan that is already skull-stripped: everything that is not background, holes filled.

    The background is the most common value at the border. Small islands are dropped.
    Raises EmptyImage if all voxels are background, NotBrainMr if hardly any is (then it was not stripped).
    """
    border = np.concatenate([face.ravel() for face in _faces(volume.voxels)])
    values, counts = np.unique(border, return_counts=True)
    background = values[np.argmax(counts)]
    foreground = volume.voxels != background
    if not foreground.any():
        raise EmptyImage(f"expected an image, got one value ({background:g}) in all voxels")
    if 1 - foreground.mean() < _STRIPPED_BACKGROUND:
        raise NotBrainMr(
            "expected a skull-stripped scan with a constant background, or a brain mask beside it; got a "
            f"scan with only {100 * (1 - foreground.mean()):.0f} % of the voxels at the background's value"
        )
    return _fill_holes(_drop_islands(np.asarray(foreground)))


def _faces(voxels: np.ndarray) -> list[np.ndarray]:
    return [voxels.take(end, axis=axis) for axis in range(3) for end in (0, -1)]


def _drop_islands(foreground: Mask) -> Mask:
    """Keep the largest piece, and every piece of at least a tenth of its size."""
    labels, n = ndimage.label(foreground, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    sizes[0] = 0
    return np.asarray((sizes >= sizes.max() / 10)[labels] & foreground)


def _fill_holes(foreground: Mask) -> Mask:
    """Count dark places that are closed in by brain, such as a ventricle of exactly 0, as brain."""
    return np.asarray(ndimage.binary_fill_holes(foreground))
