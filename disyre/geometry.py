"""Pure affine maths: points, spacing, orientation codes, and RAS to LPS."""

from collections.abc import Iterable

import numpy as np

from disyre.errors import UnsupportedGeometry
from disyre.types import Affine, Points

_CODES = (("L", "R"), ("P", "A"), ("I", "S"))


def apply_affine(affine: Affine, points: Points) -> Points:
    """Map points through an affine.

    >>> apply_affine(np.diag([2.0, 3.0, 4.0, 1.0]), np.array([[1.0, 1.0, 1.0]]))
    array([[2., 3., 4.]])
    """
    return np.asarray(points @ affine[:3, :3].T + affine[:3, 3], dtype=np.float64)


def corners(shape: Iterable[int]) -> Points:
    """The eight outermost voxels of a grid, as indices.

    >>> corners((2, 3, 4))[-1]
    array([1., 2., 3.])
    """
    return np.array(np.meshgrid(*((0, n - 1) for n in shape)), dtype=np.float64).reshape(3, -1).T


def spacing_mm(affine: Affine) -> tuple[float, float, float]:
    """Distance between neighbouring voxel centres along i, j and k, in mm.

    >>> spacing_mm(np.diag([-2.0, 3.0, 4.0, 1.0]))
    (2.0, 3.0, 4.0)
    """
    i, j, k = np.linalg.norm(affine[:3, :3], axis=0)
    return float(i), float(j), float(k)


def voxel_volume_ml(affine: Affine) -> float:
    """Volume of one voxel, in mL.

    >>> round(voxel_volume_ml(np.diag([10.0, 10.0, 10.0, 1.0])), 6)
    1.0
    """
    return float(abs(np.linalg.det(affine[:3, :3])) / 1000.0)


def axes_to_ras(affine: Affine) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Say which voxel axis runs most to the Right, Anterior and Superior, and with which sign.

    Returns `(axes, signs)`: voxel axis `axes[w]`, times `signs[w]`, is the one nearest to world axis `w`.
    The assignment is the permutation with the largest total direction cosine, so it is defined for
    oblique scans too.

    Raises UnsupportedGeometry if the axes are not independent.
    """
    norms = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.all(np.isfinite(affine)):
        raise UnsupportedGeometry(
            "expected a position for every voxel, got a header with numbers in it that are none (NaN or "
            "infinite)"
        )
    if np.any(norms == 0):
        raise UnsupportedGeometry(
            "expected a length for each of a voxel's edges, got a header in which one has none (spacing of 0)"
        )
    cosines = affine[:3, :3] / norms
    if abs(np.linalg.det(cosines)) < 1e-3:
        raise UnsupportedGeometry(
            "expected three directions in space, got a header in which two are the same"
        )
    permutations = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    best = max(permutations, key=lambda p: sum(abs(cosines[w, p[w]]) for w in range(3)))
    right, front, up = (1 if cosines[w, best[w]] > 0 else -1 for w in range(3))
    return best, (right, front, up)


def orientation(affine: Affine) -> str:
    """Name the directions of increasing i, j and k, as in "RAS" or "LPS".

    >>> orientation(np.diag([-1.0, -1.0, 1.0, 1.0]))
    'LPS'
    """
    axes, signs = axes_to_ras(affine)
    letters = {axes[w]: _CODES[w][int(signs[w] > 0)] for w in range(3)}
    return "".join(letters[axis] for axis in range(3))


def shear_deg(affine: Affine) -> float:
    """How far the two axes that are least at a right angle are from it, in degrees.

    >>> round(shear_deg(np.array([[1.0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])), 6)
    45.0
    """
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs(axes.T @ axes - np.eye(3))
    return float(np.degrees(np.arcsin(min(1.0, cosines.max()))))


def ras_to_lps(affine: Affine) -> Affine:
    """Change the world of an affine from RAS+ (NIfTI) to LPS+ (DICOM), or back.

    >>> ras_to_lps(np.eye(4)).diagonal()
    array([-1., -1.,  1.,  1.])
    """
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
