"""Where the brain is in a scan that is stripped, and what is background."""

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import ndimage

from disyre import geometry
from disyre.brain_size import MOST_BRAIN_ML
from disyre.crop import Crop, faces_of
from disyre.errors import EmptyImage, NotBrainMr
from disyre.progress import OnStep, go_on
from disyre.types import Mask, Voxels
from disyre.volume import Volume

_STRIPPED_BACKGROUND = 0.2
"""Least share of voxels with the background's value in a scan that counts as skull-stripped."""
_DARKEST: Final = 0.1
"""Percentile of what was measured that is not below 0, where a background below 0 is padding."""
_USUAL_BRAIN_ML = (700.0, 2000.0)


def stripped_mask(volume: Volume, *, on_step: OnStep = go_on) -> Mask:
    """The brain in a scan that is already skull-stripped: everything that is not background, holes filled.

    The background is the most common value at the border. Small islands are dropped. `on_step` is called
    between the parts of this.
    Raises EmptyImage if all voxels are background; NotBrainMr if hardly any is, or if what is left is too
    large for a brain (then it was not stripped).
    """
    foreground = not_background(volume)
    if not foreground.any():
        raise EmptyImage(f"expected an image, got one value ({volume.voxels.flat[0]:g}) in all voxels")
    if 1 - foreground.mean() < _STRIPPED_BACKGROUND:
        raise NotBrainMr(
            "expected a skull-stripped scan with a constant background, or a brain mask beside it; got a "
            f"scan with only {100 * (1 - foreground.mean()):.0f} % of the voxels at the background's value"
        )
    on_step()
    brain = _fill_holes(_drop_islands(foreground, on_step))
    on_step()
    if (size_ml := volume_ml(brain, volume)) > MOST_BRAIN_ML:
        raise NotBrainMr(
            f"expected a skull-stripped scan, or a brain mask beside it; got {size_ml:.0f} mL that are not "
            "background, which is more than a brain has"
        )
    return brain


def not_background(volume: Volume) -> Mask:
    """Every voxel that has another value than most of the border."""
    return np.asarray(volume.voxels != _border_value(volume.voxels))


def background(volume: Volume) -> float:
    """The intensity that stands for nothing: the most common value at the border if it is common, else 0.

    Padding of one value around the scan does not count, unless there is nothing else around the brain.
    """
    voxels = Crop.without_padding(volume.voxels).cut(volume.voxels)
    value = _border_value(voxels)
    return value + 0.0 if np.mean(voxels == value) >= _STRIPPED_BACKGROUND else 0.0  # no -0.0


def without_padding_below_zero(volume: Volume, on_padding: Callable[[float], None]) -> Volume:
    """The scan with 0 for a background that is below 0 while next to nothing else is: it was never measured.

    `on_padding` is told of such a value.
    """
    value = _border_value(volume.voxels)
    if value >= 0:
        return volume
    is_background = volume.voxels == value
    measured = volume.voxels[~is_background]
    if is_background.mean() < _STRIPPED_BACKGROUND or not measured.size:
        return volume
    if np.percentile(measured, _DARKEST) < 0:
        return volume
    on_padding(value)
    return volume.with_voxels(np.where(is_background, np.float32(0), volume.voxels))


def has_background(volume: Volume) -> bool:
    """Whether so much of a scan has the one value of its border as of one that is skull-stripped."""
    return 1 - float(not_background(volume).mean()) >= _STRIPPED_BACKGROUND


def is_more_than_brain(mask: Mask, volume: Volume) -> bool:
    """Whether a mask is larger than any brain."""
    return volume_ml(mask, volume) > MOST_BRAIN_ML


def size_warnings(brain: Mask, volume: Volume) -> list[str]:
    """Says so if a mask is unusually large or small for a brain."""
    least, most = _USUAL_BRAIN_ML
    size_ml = volume_ml(brain, volume)
    if least <= size_ml <= most:
        return []
    return [f"the brain that was scored has {size_ml:.0f} mL; adults have {least:.0f} to {most:.0f} mL"]


def volume_ml(mask: Mask, volume: Volume) -> float:
    """How much there is in a mask, in mL."""
    return float(np.count_nonzero(mask) * geometry.voxel_volume_ml(volume.affine))


def _border_value(voxels: Voxels) -> float:
    border = np.concatenate([face.ravel() for face in faces_of(voxels)])
    values, counts = np.unique(border, return_counts=True)
    return float(values[np.argmax(counts)])


def _drop_islands(foreground: Mask, on_step: OnStep) -> Mask:
    """Keep the largest piece, and every piece of at least a tenth of its size."""
    labels, n = ndimage.label(foreground, structure=np.ones((3, 3, 3)))
    on_step()
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    sizes[0] = 0
    on_step()
    return np.asarray((sizes >= sizes.max() / 10)[labels] & foreground)


def _fill_holes(foreground: Mask) -> Mask:
    """Count dark places that are closed in by brain, such as a ventricle of exactly 0, as brain."""
    return np.asarray(ndimage.binary_fill_holes(foreground))
