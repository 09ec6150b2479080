"""Hypothesis strategies for geometry."""

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from disyre.types import Affine

spacings = st.floats(0.3, 6.0)
offsets = st.floats(-200, 200)
angles = st.floats(-180, 180)


@st.composite
def affines(draw: st.DrawFn) -> Affine:
    """A rotation of any size, mirrored or not, with a spacing and an origin."""
    affine = np.eye(4)
    rotation = Rotation.from_euler("xyz", [draw(angles) for _ in range(3)], degrees=True).as_matrix()
    mirror = np.diag([draw(st.sampled_from([-1.0, 1.0])) for _ in range(3)])
    affine[:3, :3] = rotation @ mirror @ np.diag([draw(spacings) for _ in range(3)])
    affine[:3, 3] = [draw(offsets) for _ in range(3)]
    return affine


@st.composite
def axis_affines(draw: st.DrawFn, spacing: st.SearchStrategy[float] = spacings) -> Affine:
    """Axes in any order and direction, along those of the world."""
    affine = np.zeros((4, 4))
    for axis, world in enumerate(draw(st.permutations([0, 1, 2]))):
        affine[world, axis] = draw(st.sampled_from([-1.0, 1.0])) * draw(spacing)
    affine[:3, 3] = [draw(offsets) for _ in range(3)]
    affine[3, 3] = 1
    return affine
