"""The brain in a scan of a whole head, found by a network; a scan that is already stripped is recognised.

The network sees the scan in the order of RAS on a coarse grid of its own. Its answer goes back to the scan's
grid by interpolation of the probability.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, Self, TypeAlias

import numpy as np
from scipy import ndimage

from disyre import anatomy, brain, geometry
from disyre.brain_size import LEAST_BRAIN_ML, MOST_BRAIN_ML, MOST_SECTION_CM2
from disyre.crop import Crop
from disyre.errors import EmptyImage, NotBrainMr
from disyre.progress import OnStep, go_on
from disyre.resampling import GridMap
from disyre.scan_record import Certainty
from disyre.types import Features, Mask, Voxels
from disyre.volume import Volume

BrainNetwork: TypeAlias = Callable[[Voxels], Voxels]
"""Image (x, y, z) in [0, 1], in RAS order on the network's grid -> probability of being brain, likewise."""
Source: TypeAlias = Literal["skull-stripped", "extracted"]

_LOW, _HIGH = 1.0, 99.5
"""Percentiles of the scan that become 0 and 1; the network was trained with them."""
_LEAST_CERTAINTY: Final = 0.85
"""Mean probability in the mask; a network that sees no brain hesitates."""
_UNDECIDED: Final = (0.1, 0.9)
_HELP: Final = (
    "send a brain mask with it, send the whole head (in a part of a head the brain may not be found), "
    "or correct its header if that is wrong about which way up, front and right are"
)
"""What to try where no brain was found."""
_STRIPPED_SHARE: Final = 0.85
"""Of what is not background; if so much of it lies in the brain or close to it, the skull is gone."""
_CLOSE_MM: Final = 6.0
_SLAB_MARGINS: Final = 3
"""As many times 6 mm is a slab thick in which distances to the brain are measured in one call."""
_MOST_AROUND: Final = 2.0
"""Brains, in what is not background of a stripped scan: 6 mm around a brain are less than half of one."""


@dataclass(frozen=True, eq=False)
class FoundBrain:
    """A brain mask on the scan's own grid, and where it is from."""

    mask: Mask
    source: Source
    certainty: Certainty


@dataclass(frozen=True, eq=False)
class BrainFinder:
    """Finds brains with a network."""

    network: BrainNetwork
    spacing_mm: float
    """Of the network's grid."""
    stride: int
    """Edges of the network's input are multiples of this."""
    least_shape: tuple[int, int, int] = (1, 1, 1)
    """Of the network's input; a smaller image lies in the middle of nothing.

    A network that normalises over its whole input sees no brain in a slab that fills it.
    """
    on_step: OnStep = go_on
    """Is called before every call of the network, and between the steps around it."""

    def __call__(self, volume: Volume) -> FoundBrain:
        """The brain of a scan, or all of a scan that is skull-stripped already.

        Padding of one value around the scan changes nothing.
        Raises NotBrainMr if there is none, EmptyImage if all voxels have one value.
        """
        crop = Crop.without_padding(volume.voxels)
        self.on_step()
        found = self._find(crop.volume(volume))
        return replace(found, mask=np.asarray(crop.paste(found.mask)))

    def asking(self, on_step: OnStep) -> Self:
        """The same finder, which asks whether it may go on: to stop it, `on_step` raises."""
        return replace(self, on_step=on_step)

    def _find(self, volume: Volume) -> FoundBrain:
        grid = GridMap.to_spacing(volume, self.spacing_mm)
        on_step = self.on_step
        on_step()
        probability = self._probability(grid.to_model(volume.voxels, on_step=on_step))
        found = _largest_piece(probability > 0.5)
        _check(probability, found, geometry.spacing_mm(grid.model_affine))
        certainty = _certainty(probability, found)
        # Beyond the border of the brain's piece, so that its edge is interpolated and not cut.
        near = ndimage.binary_dilation(found, iterations=2)
        coarse = np.where(near, np.where(found, np.maximum(probability, 0.5), probability), 0)
        mask = np.asarray(grid.to_native(coarse, on_step=on_step) >= 0.5)
        on_step()
        stripped = _stripped(volume, on_step) if _may_be_stripped(volume, mask) else None
        source: Source = "extracted"
        if stripped is not None and _is_close(stripped, mask, volume.spacing_mm, on_step):
            mask, source = stripped, "skull-stripped"
        on_step()
        anatomy.check(volume, mask, on_step=on_step)
        return FoundBrain(mask, source, certainty)

    def _probability(self, image: Voxels) -> Voxels:
        """Mean of what the network says of an image and of its mirror image, as heads have two like sides."""
        padding = [
            _around(n, least, self.stride) for n, least in zip(image.shape, self.least_shape, strict=True)
        ]
        padded = np.pad(normalize(image), padding)
        self.on_step()
        mirrored = self.network(np.ascontiguousarray(padded[::-1]))[::-1]
        self.on_step()
        inside = tuple(slice(before, before + n) for (before, _), n in zip(padding, image.shape, strict=True))
        return (self.network(padded) + mirrored)[inside] / 2


def _around(n: int, least: int, stride: int) -> tuple[int, int]:
    """How many voxels of nothing go before and behind n, to make them at least so many, and whole strides."""
    more = max(n, least) - n
    more += -(n + more) % stride
    return more // 2, more - more // 2


def normalize(image: Voxels) -> Voxels:
    """Intensities as the network was trained on: 0 at the 1st and 1 at the 99.5th percentile, clipped."""
    low, high = np.percentile(image, (_LOW, _HIGH))
    if high <= low:
        low, high = float(image.min()), float(image.max())
    if high <= low:
        raise EmptyImage(f"expected an image, got one value ({float(low):g}) in all voxels")
    return np.asarray(np.clip((image - low) / (high - low), 0, 1), dtype=np.float32)


def _largest_piece(mask: Mask) -> Mask:
    """The largest connected part, holes filled."""
    labels, n = ndimage.label(mask)
    if n == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == sizes.argmax()))


def _check(probability: Voxels, found: Mask, spacing_mm: tuple[float, float, float]) -> None:
    """Raise NotBrainMr if what was found is too small or too large for a brain, or uncertain."""
    size_ml = np.count_nonzero(found) * float(np.prod(spacing_mm)) / 1000
    if not LEAST_BRAIN_ML <= size_ml <= MOST_BRAIN_ML:
        raise NotBrainMr(
            f"expected an image of a head with {LEAST_BRAIN_ML:g} to {MOST_BRAIN_ML:g} mL of "
            f"brain in it, got one in which {size_ml:.0f} mL look like brain; if there is one in it, {_HELP}"
        )
    section_cm2 = _largest_section_cm2(found, spacing_mm)
    if section_cm2 > MOST_SECTION_CM2:
        raise NotBrainMr(
            f"expected an image of a head, got one in which a section of {section_cm2:.0f} cm2 looks like "
            f"brain, where that of a brain has at most {MOST_SECTION_CM2:g}; if there is one in it, {_HELP}"
        )
    certainty = float(probability[found].mean())
    if certainty < _LEAST_CERTAINTY:
        raise NotBrainMr(
            "expected an image of a head, got one in which nothing is clearly a brain (certainty "
            f"{100 * certainty:.0f} %, at least {100 * _LEAST_CERTAINTY:.0f} % is asked for); if there is "
            f"one in it, {_HELP}"
        )


def _largest_section_cm2(found: Mask, spacing_mm: tuple[float, float, float]) -> float:
    """The area of the largest section through what was found, along any axis of the grid."""
    areas_mm2 = np.prod(spacing_mm) / np.array(spacing_mm)
    n_voxels = [np.count_nonzero(np.moveaxis(found, axis, 0), axis=(1, 2)).max() for axis in range(3)]
    return float((areas_mm2 * n_voxels).max()) / 100


def _certainty(probability: Voxels, found: Mask) -> Certainty:
    low, high = _UNDECIDED
    undecided = np.count_nonzero((probability > low) & (probability < high)) / np.count_nonzero(found)
    return Certainty(mean=round(float(probability[found].mean()), 4), undecided=round(undecided, 4))


def _may_be_stripped(volume: Volume, mask: Mask) -> bool:
    """Whether so little is not background that it may lie in the brain and close to it. Takes little time."""
    return int(np.count_nonzero(brain.not_background(volume))) <= _MOST_AROUND * int(np.count_nonzero(mask))


def _stripped(volume: Volume, on_step: OnStep) -> Mask | None:
    """The mask that the scan has if it is skull-stripped; None if it cannot be."""
    try:
        return brain.stripped_mask(volume, on_step=on_step)
    except (NotBrainMr, EmptyImage):
        return None


def _is_close(foreground: Mask, mask: Mask, spacing_mm: tuple[float, float, float], on_step: OnStep) -> bool:
    """Whether what is not background lies in the brain, or a few mm around it."""
    n_close = _n_close(foreground, mask, spacing_mm, on_step)
    return n_close >= _STRIPPED_SHARE * int(np.count_nonzero(foreground))


def _n_close(foreground: Mask, mask: Mask, spacing_mm: tuple[float, float, float], on_step: OnStep) -> int:
    """How many voxels of a foreground lie in a mask, or a few mm around it.

    Looked at in slabs, each with what may be close to it: no one takes long.
    """
    margin, *others = [math.ceil(_CLOSE_MM / mm) for mm in spacing_mm]
    box = Crop.around(mask, margins=(margin, others[0], others[1]))  # beyond, nothing is close
    near, wanted = box.cut(mask), box.cut(foreground)
    n_planes = _SLAB_MARGINS * margin
    n_close = 0
    for begin in range(0, len(near), n_planes):
        on_step()
        first = max(0, begin - margin)
        around = near[first : begin + n_planes + margin]
        if around.any():
            asked = np.zeros_like(around)
            asked[begin - first : begin - first + n_planes] = wanted[begin : begin + n_planes]
            n_close += int(np.count_nonzero(_distances_mm(around, asked, spacing_mm) <= _CLOSE_MM))
    return n_close


def _distances_mm(mask: Mask, asked: Mask, spacing_mm: tuple[float, float, float]) -> Features:
    """How far the voxels that are asked for lie from a mask, which has some; in no order."""
    nearest = ndimage.distance_transform_edt(
        ~mask, sampling=spacing_mm, return_distances=False, return_indices=True
    )
    places = zip(nearest, np.nonzero(asked), spacing_mm, strict=True)
    squares = [((there[asked] - here) * mm) ** 2 for there, here, mm in places]
    return np.asarray(np.sqrt(np.sum(squares, axis=0)))
