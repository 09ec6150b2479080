"""Preparation: a scan's brain on the model's grid in normalised intensities, and the way back.

The same in training and at inference. Of what is outside the brain only the one intensity that stands for
nothing has a part in it, so neither the field of view nor empty space around the brain changes a result.
"""

import math
from dataclasses import dataclass
from itertools import compress
from typing import Final, Self

import numpy as np

from disyre import brain, geometry
from disyre.crop import Crop
from disyre.errors import EmptyImage, UnusableVolume
from disyre.intensity import IntensityRule, IntensityScale, measure_scale
from disyre.preparation_record import PreparationRecord, Swap, TiltRecord
from disyre.progress import OnStep, go_on
from disyre.resampling import GridMap
from disyre.tilt import Turn
from disyre.types import Mask, Voxels
from disyre.upright_grid import UprightGridMap
from disyre.volume import Volume

_MOST_BELOW_BLACK: Final = 0.05
"""Share of the brain that may be darker than the background: noise and filtering make some voxels so."""

_LEAST_SHARE: Final = 0.05
"""Of a voxel in the model's brain; with less than that the network has not seen it."""


_SLICE_AXIS: Final = 2
"""Of the model's grid, in RAS order: slices are axial."""
_AXES: Final = ("left-right", "back-front", "foot-head")


@dataclass(frozen=True, eq=False)
class Preparation:
    """A brain as the network sees it, and how it came there."""

    black: float
    """The scan's intensity that stands for nothing."""
    crop: Crop
    """The part of the scan that holds the brain."""
    grid: GridMap | UprightGridMap
    """From the crop to the model's grid and back."""
    scale: IntensityScale
    mask: Mask
    """The brain on the model's grid."""
    voxels: Voxels
    """On the model's grid: at least BRAIN_FLOOR and at most 1 in the brain, 0 around it."""
    seen: Mask
    """The brain on the scan's grid, as far as it is on the model's."""
    _share: Voxels
    """How much of each voxel of the crop lies in the model's brain."""

    @classmethod
    def of(
        cls,
        volume: Volume,
        brain_mask: Mask,
        rule: IntensityRule,
        *,
        spacing_mm: float,
        slice_axis: int | None = None,
        turn: Turn | None = None,
        on_step: OnStep = go_on,
    ) -> Self:
        """Prepare a scan for a model whose voxels are `spacing_mm` apart along all axes.

        Thick slices along the `slice_axis` are kept as they are (see GridMap), unless the head is to be
        turned upright: `turn` is how it lies (see UprightGridMap). `on_step` is called on the way.

        Raises EmptyImage if the brain is empty, on either grid, UnusableVolume if much of it is darker
        than the background.
        """
        if not brain_mask.any():
            raise EmptyImage("expected a brain mask with voxels in it, got an empty one")
        black = brain.background(volume)
        on_step()
        _check_brighter(volume.voxels[brain_mask], black)
        crop = _crop(volume, brain_mask, rule, spacing_mm)
        inside = crop.cut(brain_mask)
        cropped = crop.volume(volume)
        grid: GridMap | UprightGridMap
        if turn is None:
            grid = GridMap.to_spacing(cropped, spacing_mm, slice_axis=slice_axis)
        else:
            grid = UprightGridMap.around(cropped, inside, turn, spacing_mm)
        on_step()
        mask = _not_empty(grid.mask_to_model(inside, on_step=on_step))
        voxels = grid.to_model(np.where(inside, cropped.voxels - np.float32(black), 0), on_step=on_step)
        scale = measure_scale(voxels, mask, rule)
        share = grid.to_native(mask.astype(np.float32), on_step=on_step)
        on_step()
        return cls(
            black=black,
            crop=crop,
            grid=grid,
            scale=scale,
            mask=mask,
            voxels=scale.normalize_brain(voxels, mask),
            seen=np.asarray(crop.paste(inside & (share >= _LEAST_SHARE))),
            _share=share,
        )

    def describe(
        self,
        volume: Volume,
        *,
        bias_field: tuple[float, float] | None = None,
        tilt_deg: TiltRecord | None = None,
        swapped: Swap | None = None,
    ) -> PreparationRecord:
        """What was done to a scan, in order; `bias_field`, `tilt_deg` and `swapped` were found before."""
        grid = self.grid
        return PreparationRecord(
            orientation=volume.orientation,
            spacing_mm=volume.spacing_mm,
            background=self.black,
            bias_field=bias_field,
            tilt_deg=tilt_deg,
            swapped=swapped,
            aligned=isinstance(grid, UprightGridMap),
            crop_start=self.crop.start,
            crop_shape=self.crop.size,
            model_spacing_mm=geometry.spacing_mm(grid.model_affine),
            model_shape=grid.model_shape,
            model_affine=tuple(tuple(float(n) for n in row) for row in grid.model_affine),
            own_slices=not grid.interpolated[_SLICE_AXIS],
            interpolated=tuple(compress(_AXES, grid.interpolated)),
            white=self.scale.white,
        )

    def to_scan(self, values: Voxels, *, on_step: OnStep = go_on) -> Voxels:
        """Values on the model's grid, on the scan's; 0 outside the brain.

        Interpolation is normalised by the brain's own, so that values at its edge are not drawn to 0.
        """
        native = self.grid.to_native(np.where(self.mask, values, np.float32(0)), on_step=on_step)
        on_step()
        pasted = self.crop.paste(native / np.maximum(self._share, np.float32(_LEAST_SHARE)))
        return np.where(self.seen, pasted, np.float32(0))


def _crop(volume: Volume, brain_mask: Mask, rule: IntensityRule, spacing_mm: float) -> Crop:
    """The brain and as far around it as interpolation looks; the whole scan if the rule measures that."""
    if rule.over == "frame":
        return Crop.whole(volume.shape)
    i, j, k = (2 + math.ceil(2 * spacing_mm / native_mm) for native_mm in volume.spacing_mm)
    return Crop.around(brain_mask, margins=(i, j, k))


def _check_brighter(values: np.ndarray, black: float) -> None:
    """Raise UnusableVolume if much of the brain is darker than the background."""
    share = float(np.mean(values < black))
    if share > _MOST_BELOW_BLACK:
        raise UnusableVolume(
            f"expected a brain that is brighter than the background ({black:g}), got {100 * share:.0f} % "
            "of it below that, as after z-scoring; send the intensities that the scanner gave"
        )


def _not_empty(mask: Mask) -> Mask:
    if not mask.any():
        raise EmptyImage("expected a brain of at least one voxel on the model's grid, got none")
    return mask
