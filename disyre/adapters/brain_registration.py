"""How a brain lies: it is laid upon an upright one by turning, moving and scaling (SimpleITK).

All heads that are turned by up to 45 degrees about each axis are tried in steps, then the best is refined.
One thread, no chance: the same brain gives the same answer on every machine of a kind.
"""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import SimpleITK
from scipy import ndimage
from scipy.spatial.transform import Rotation

from disyre.adapters.itk_steps import asking
from disyre.progress import OnStep, go_on
from disyre.tilt import Pose
from disyre.types import Affine, Points, Voxels

UPRIGHT_BRAIN: Final = Path(__file__).with_name("upright_brain.npz")
"""Mean of upright brains; where it is from says the file beside it."""

_STEPS: Final = 3
"""So many turns are tried in either direction about each axis."""
_STEP_RAD: Final = math.radians(15)
_COARSE: Final = 3
_FINE: Final = 2
"""Every so many voxels along each axis are compared, to try and to refine."""
_REFINEMENTS: Final = 12
"""Most steps of a conjugate gradient, each with so many tries along its line."""
_TRIES: Final = 8
_LONGEST_STEP_MM: Final = 2.0
_SETTLED: Final = 1e-7
"""Relative improvement over the last steps that ends the refinement."""
_WINDOW: Final = 4
_LEAST_MM3: Final = 1e5
"""Of brain; less has no shape."""
_AROUND: Final = 12
"""Empty voxels around the upright brain: beyond its grid a turned brain would not be compared."""


@dataclass(frozen=True, eq=False)
class UprightBrain:
    """What brains are laid upon."""

    voxels: Voxels
    """Smooth, in [0, 1], in RAS order."""
    spacing_mm: float


@dataclass(frozen=True, eq=False)
class Similarity:
    """A turn, a move and a scale."""

    to_upright: Affine
    """From mm in the grid of the brain to mm in that of the upright one; both begin at their first voxel."""

    @property
    def scale(self) -> float:
        """How much larger the brain becomes; below 0 if it is mirrored as well."""
        return float(np.cbrt(np.linalg.det(self.to_upright[:3, :3])))

    @property
    def turn(self) -> Any:
        """From upright to how the brain lies."""
        return (self.to_upright[:3, :3] / self.scale).T


@cache
def upright_brain() -> UprightBrain:
    """The brain that ships."""
    with np.load(UPRIGHT_BRAIN) as file:
        levels = file["levels"]
        voxels = np.pad(levels.astype(np.float32) / np.float32(file["highest"]), _AROUND)
        return UprightBrain(voxels, float(file["spacing_mm"]))


def find_pose(brain: Voxels, spacing_mm: float, *, on_step: OnStep = go_on) -> Pose:
    """How a brain lies. A brain that cannot be laid upon the upright one overlaps it by 0."""
    upright = upright_brain()
    nowhere = Pose(np.eye(3), 0.0)
    if brain.sum(dtype=np.float64) * spacing_mm**3 < _LEAST_MM3:
        return nowhere
    try:
        found = register(brain, spacing_mm, upright, on_step=on_step)
    except RuntimeError:  # how ITK says that there is nothing to compare
        return nowhere
    if not (np.isfinite(found.to_upright).all() and found.scale > 0):  # of a slab, that may run away
        return nowhere
    return _pose(brain, spacing_mm, upright, found)


def register(
    brain: Voxels, spacing_mm: float, upright: UprightBrain, *, on_step: OnStep = go_on
) -> Similarity:
    """Lay a brain upon another one. Raises RuntimeError if they do not meet."""
    # Inner filters have no setting of their own; with one thread, sums do not depend on who adds first.
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(
        False
    )  # one for each pose in which two brains do not meet
    fixed, moving = _image(brain, spacing_mm), _image(upright.voxels, upright.spacing_mm)
    centre, there = _centre_mm(brain, spacing_mm), _centre_mm(upright.voxels, upright.spacing_mm)
    start = _search(fixed, moving, centre, there, on_step)
    transform = SimpleITK.Similarity3DTransform()
    transform.SetCenter(centre.tolist())
    transform.SetTranslation((there - centre).tolist())
    transform.SetRotation(*_axis_and_angle(start))
    transform.SetScale(_size_mm(upright.voxels, upright.spacing_mm) / _size_mm(brain, spacing_mm))
    method = _method(transform, _FINE)
    method.SetOptimizerAsConjugateGradientLineSearch(
        learningRate=1.0,
        numberOfIterations=_REFINEMENTS,
        convergenceMinimumValue=_SETTLED,
        convergenceWindowSize=_WINDOW,
        lineSearchUpperLimit=4,
        lineSearchMaximumIterations=_TRIES,
        maximumStepSizeInPhysicalUnits=_LONGEST_STEP_MM,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    with asking(method, on_step):
        method.Execute(fixed, moving)
    matrix = np.array(transform.GetMatrix()).reshape(3, 3)
    to_upright = np.eye(4)
    to_upright[:3, :3] = matrix
    to_upright[:3, 3] = np.array(transform.GetTranslation()) + centre - matrix @ centre
    return Similarity(to_upright)


def _search(fixed: Any, moving: Any, centre: Points, there: Points, on_step: OnStep) -> Rotation:
    """The best of many turns about the middle of the brain, the middles of both laid upon one another."""
    transform = SimpleITK.Euler3DTransform()
    transform.SetCenter(centre.tolist())
    transform.SetTranslation((there - centre).tolist())
    method = _method(transform, _COARSE)
    method.SetOptimizerAsExhaustive([_STEPS] * 3 + [0] * 3, stepLength=_STEP_RAD)
    method.SetOptimizerScales([1.0] * 6)
    with asking(method, on_step):
        method.Execute(fixed, moving)
    return Rotation.from_matrix(np.array(transform.GetMatrix()).reshape(3, 3))


def _method(transform: Any, shrink: int) -> Any:
    method = SimpleITK.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMeanSquares()
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetShrinkFactorsPerLevel([shrink])
    method.SetSmoothingSigmasPerLevel([0])
    method.SetInitialTransform(transform, inPlace=True)
    return method


def _axis_and_angle(turn: Rotation) -> tuple[list[float], float]:
    angle = float(turn.magnitude())
    return (turn.as_rotvec() / angle).tolist() if angle else [0.0, 0.0, 1.0], angle


def _image(voxels: Voxels, spacing_mm: float) -> Any:
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels.T))
    image.SetSpacing((spacing_mm,) * 3)
    return image


def _centre_mm(voxels: Voxels, spacing_mm: float) -> Points:
    return np.array(ndimage.center_of_mass(voxels)) * spacing_mm


def _size_mm(voxels: Voxels, spacing_mm: float) -> float:
    """Edge of a cube with the volume of a brain."""
    return float(voxels.sum(dtype=np.float64) ** (1 / 3) * spacing_mm)


def on_upright(brain: Voxels, spacing_mm: float, upright: UprightBrain, found: Similarity) -> Voxels:
    """A brain, laid upon the upright one; 0 beyond its own grid."""
    to_index = np.diag([1 / spacing_mm] * 3 + [1.0])
    from_index = np.diag([upright.spacing_mm] * 3 + [1.0])
    affine = to_index @ np.linalg.inv(found.to_upright) @ from_index
    return np.asarray(
        ndimage.affine_transform(
            brain, affine[:3, :3], affine[:3, 3], output_shape=upright.voxels.shape, order=1, cval=0.0
        )
    )


def _pose(brain: Voxels, spacing_mm: float, upright: UprightBrain, found: Similarity) -> Pose:
    """How a brain lies, and how well it fits where the scan says anything."""
    known = on_upright(np.ones_like(brain), spacing_mm, upright, found) > 0
    whole = upright.voxels > 0.5
    a, b = on_upright(brain, spacing_mm, upright, found) > 0.5, whole & known
    n_both, n_a, n_b, n_whole = (int(np.count_nonzero(mask)) for mask in (a & b, a, b, whole))
    return Pose(found.turn, overlap=2 * n_both / max(1, n_a + n_b), share=n_b / n_whole)
