"""How a head lies: what is asked of a registration, and what is said of its answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from disyre.tilt import SPACING_MM, Pose, Tilt, coarse_brain
from disyre.types import Voxels
from disyre.volume import Volume
from tests.builders import make_volume

angles = st.tuples(st.floats(-80, 80), st.floats(-80, 80), st.floats(-80, 80))


@given(turns=angles)
def test_a_tilt_is_told_in_three_angles_that_make_the_turn_again(turns: tuple[float, float, float]) -> None:
    turn = Rotation.from_euler("xyz", turns, degrees=True)

    record = Tilt(turn.as_matrix()).describe()

    again = Rotation.from_euler("xyz", (record.pitch, record.roll, record.yaw), degrees=True)
    assert np.degrees((again * turn.inv()).magnitude()) < 0.2
    assert record.angle == pytest.approx(np.degrees(turn.magnitude()), abs=0.06)


@pytest.mark.parametrize(
    ("axis", "moved", "to"),
    [
        ("pitch", (0, 1, 0), (0, 0, 1)),  # the nose is lifted
        ("roll", (0, 0, 1), (1, 0, 0)),  # the top of the head goes to its right
        ("yaw", (0, 1, 0), (-1, 0, 0)),  # the nose goes to its left
    ],
)
def test_a_positive_angle_turns_where_it_is_said_to(
    axis: str, moved: tuple[int, int, int], to: tuple[int, int, int]
) -> None:
    turn = Rotation.from_rotvec(60 * np.cross(moved, to), degrees=True).as_matrix()

    record = Tilt(turn).describe()

    assert {"pitch": record.pitch, "roll": record.roll, "yaw": record.yaw}[axis] == pytest.approx(60)
    assert np.dot(turn @ moved, to) > 0.8


@pytest.mark.parametrize(("overlap", "is_told"), [(0.95, True), (0.5, False)])
def test_a_brain_that_fits_on_no_upright_one_has_no_tilt(overlap: float, is_told: bool) -> None:
    volume = make_volume()
    seen: list[tuple[tuple[int, ...], float]] = []

    def find_pose(brain: Voxels, spacing_mm: float) -> Pose:
        seen.append((brain.shape, spacing_mm))
        return Pose(np.eye(3), overlap)

    tilt = Tilt.measure(volume, volume.voxels > 0, find_pose)

    assert (tilt is not None) == is_told
    assert seen[0][1] == SPACING_MM


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_brain_that_goes_on_behind_the_scan_has_no_empty_space_there(side: float) -> None:
    """Wherever that end of the scan is stored."""
    mask = np.zeros((40, 40, 40), dtype=bool)
    cut = slice(20, 40) if side > 0 else slice(0, 20)
    mask[8:32, 8:32, cut] = True

    brain = coarse_brain(Volume(mask.astype(np.float32), np.diag([1.0, 1.0, side, 1.0])), mask)

    assert brain[:, :, -1].max() > 0.4  # the upper end
    assert brain[:, :, 0].max() < 0.01
    assert max(brain[0].max(), brain[-1].max(), brain[:, 0].max(), brain[:, -1].max()) < 0.01
