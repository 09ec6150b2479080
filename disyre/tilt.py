"""Tilt: how a head lies in the grid of its scan, told from the shape of its brain and so in any contrast."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np
from jaxtyping import Float64
from scipy import ndimage
from scipy.spatial.transform import Rotation

from disyre import geometry
from disyre.crop import Crop
from disyre.preparation_record import Swap, TiltRecord
from disyre.progress import OnStep, go_on
from disyre.resampling import GridMap
from disyre.types import Mask, Voxels
from disyre.volume import Volume

Turn: TypeAlias = Float64[np.ndarray, "3 3"]
"""A proper rotation matrix: it turns, and never mirrors."""

SPACING_MM: Final = 4.0
"""Of the grid on which brains are compared."""
SMOOTHING_MM: Final = 4.0
"""Standard deviation; slopes instead of edges lead a registration from further away."""
_MARGIN: Final = 6
"""Empty voxels around the brain on that grid, so that what reaches beyond it counts against a pose."""
_LEAST_OVERLAP: Final = 0.88
"""A brain that fits worse on the upright one is no whole brain, and where its nose is nobody knows."""
_LEAST_SHARE: Final = 0.85
"""Of an upright brain that lies in the scan; a smaller part slides along one that it does not belong to, and
turns with it."""
_GOOD_OVERLAP: Final = 0.92
"""A whole brain that fits better lies as its header says; of real ones none fits worse, and none that is
mirrored or turned over fits as well."""
_CLEARLY: Final = 0.03
"""So much better has a brain to fit with two directions swapped for that to be said."""
_CUT_MM: Final = 2.0
"""So far into a brain, and one voxel more, the border of a scan may reach and not count as a cut."""
_ROUND_MM: Final = 80.0
"""Radius of a ball of which what is cut off has the area that counts: about that of a brain."""


@dataclass(frozen=True, eq=False)
class Pose:
    """How a brain lies, as it was found."""

    turn: Turn
    """From upright to how it lies, in the axes of a grid in RAS order."""
    overlap: float
    """Dice coefficient with the upright brain after it was laid upon it, in [0, 1]."""
    share: float = 1.0
    """Of the upright brain that lies in the grid so, in [0, 1]; the rest is beyond the scan."""

    @property
    def fit(self) -> float:
        """The overlap if so much of the brain is in the scan that it can lie in one way only, else 0."""
        return self.overlap if self.share >= _LEAST_SHARE else 0.0


_SWAPS: Final[tuple[tuple[Swap, tuple[int, ...]], ...]] = (
    ("up and down", (2,)),
    ("front and back", (1,)),
    ("up and down, front and back", (1, 2)),
)
"""And the axes that are reversed with each, in RAS order."""

FindPose: TypeAlias = Callable[[Voxels, float], Pose]
"""Smooth brain in [0, 1] on a grid in RAS order, and the spacing of that in mm -> how the brain lies."""


def _ignore(swap: Swap) -> None:
    """Be told, and do nothing."""


@dataclass(frozen=True, eq=False)
class Tilt:
    """How a head is turned against the axes of its scan."""

    turn: Turn
    """From upright to how it lies, in the scan's axes in RAS order."""

    @classmethod
    def measure(
        cls,
        volume: Volume,
        brain_mask: Mask,
        find_pose: FindPose,
        *,
        on_swap: Callable[[Swap], None] = _ignore,
        on_step: OnStep = go_on,
    ) -> Self | None:
        """The tilt of a head; None if the brain has no shape of which it could be told.

        None too if the brain has the shape of one only with directions swapped; `on_swap` is told of them.
        `on_step` is called on the way.
        """
        brain = coarse_brain(volume, brain_mask, on_step=on_step)
        pose = find_pose(brain, SPACING_MM)
        swap = _swap(brain, pose, find_pose)
        if swap is not None:
            on_swap(swap)
        return cls(pose.turn) if pose.fit >= _LEAST_OVERLAP and swap is None else None

    @property
    def angle_deg(self) -> float:
        """The angle of the turn, at least 0."""
        return float(np.degrees(Rotation.from_matrix(self.turn).magnitude()))

    def describe(self) -> TiltRecord:
        """The tilt as three angles, and as one.

        >>> Tilt(np.eye(3)).describe().pitch
        0.0
        """
        pitch, roll, yaw = Rotation.from_matrix(self.turn).as_euler("xyz", degrees=True)
        angles = {"pitch": pitch, "roll": roll, "yaw": yaw, "angle": self.angle_deg}
        return TiltRecord(**{name: round(float(angle), 1) + 0.0 for name, angle in angles.items()})  # no -0.0


def coarse_brain(volume: Volume, brain_mask: Mask, *, on_step: OnStep = go_on) -> Voxels:
    """A brain mask, smooth, on a coarse grid in RAS order, with empty voxels around it.

    There are none where the scan ends in the brain: what is beyond is not known to be empty. Padding of one
    value does not belong to the scan. `on_step` is called on the way.
    """
    frame = Crop.without_padding(volume.voxels, keep=brain_mask)
    on_step()
    volume, brain_mask = frame.volume(volume), frame.cut(brain_mask)
    crop = Crop.around(brain_mask)
    inside = crop.volume(volume.with_voxels(brain_mask.astype(np.float32)))
    grid = GridMap.to_spacing(inside, SPACING_MM, exactly=True)
    pads = [tuple(0 if is_cut else _MARGIN for is_cut in ends) for ends in _cuts(volume, brain_mask)]
    coarse = grid.to_model(inside.voxels, on_step=on_step)
    return np.asarray(ndimage.gaussian_filter(np.pad(coarse, pads), SMOOTHING_MM / SPACING_MM))


def _swap(brain: Voxels, pose: Pose, find_pose: FindPose) -> Swap | None:
    """With which directions swapped a brain fits well that does not as it is; None if with none."""
    if pose.overlap >= _GOOD_OVERLAP or pose.share < _LEAST_SHARE:
        return None
    fits = {
        swap: find_pose(np.ascontiguousarray(np.flip(brain, axes)), SPACING_MM).fit for swap, axes in _SWAPS
    }
    best = max(fits, key=lambda swap: fits[swap])
    return best if fits[best] >= max(_GOOD_OVERLAP, pose.overlap + _CLEARLY) else None


def _cuts(volume: Volume, brain_mask: Mask) -> list[tuple[bool, bool]]:
    """Whether the brain reaches the scan's left and right, back and front, lower and upper end."""
    voxel_mm3 = 1000 * geometry.voxel_volume_ml(volume.affine)
    found = []
    for axis, sign in zip(*geometry.axes_to_ras(volume.affine), strict=True):
        edge_mm = volume.spacing_mm[axis]
        least_mm2 = 2 * np.pi * _ROUND_MM * (_CUT_MM + edge_mm)
        areas_mm2 = [np.count_nonzero(brain_mask.take(end, axis)) * voxel_mm3 / edge_mm for end in (0, -1)]
        ends = [bool(area_mm2 > least_mm2) for area_mm2 in areas_mm2]
        first, last = ends[::sign]
        found.append((first, last))
    return found
