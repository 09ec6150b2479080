"""How a head lies: what is asked of a registration, and what is said of its answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from disyre.preparation_record import Swap
from disyre.tilt import SPACING_MM, Pose, Tilt, coarse_brain
from disyre.types import Mask, Voxels
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


def measured(*overlaps: float) -> tuple[Tilt | None, list[Swap]]:
    """The tilt of a brain that fits so as it is, and with each swap in turn; and what was told."""
    volume = make_volume()
    fits = iter(overlaps)
    swaps: list[Swap] = []
    tilt = Tilt.measure(
        volume,
        volume.voxels > 0,
        lambda brain, spacing_mm: Pose(np.eye(3), next(fits)),
        on_swap=swaps.append,
    )
    assert next(fits, None) is None  # all were asked for
    return tilt, swaps


@pytest.mark.parametrize(
    ("overlaps", "swap"),
    [
        ((0.89, 0.95, 0.88, 0.86), "up and down"),
        ((0.86, 0.87, 0.94, 0.88), "front and back"),
        ((0.85, 0.88, 0.89, 0.95), "up and down, front and back"),
    ],
)
def test_a_brain_that_fits_only_with_directions_swapped_has_no_tilt(
    overlaps: tuple[float, ...], swap: Swap
) -> None:
    assert measured(*overlaps) == (None, [swap])


def test_a_brain_that_fits_as_it_is_or_hardly_better_with_a_swap_keeps_its_tilt() -> None:
    for overlaps in ((0.93,), (0.91, 0.93, 0.9, 0.9), (0.88, 0.915, 0.9, 0.9)):
        tilt, swaps = measured(*overlaps)

        assert tilt is not None
        assert swaps == []


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_brain_that_goes_on_behind_the_scan_has_no_empty_space_there(side: float) -> None:
    """Wherever that end of the scan is stored."""
    mask = np.zeros((64, 64, 40), dtype=bool)
    cut = slice(20, 40) if side > 0 else slice(0, 20)
    mask[8:56, 8:56, cut] = True

    head = mask + np.random.default_rng(0).random(mask.shape, dtype=np.float32)

    brain = coarse_brain(Volume(head, np.diag([1.0, 1.0, side, 1.0])), mask)

    assert brain[:, :, -1].max() > 0.4  # the upper end
    assert brain[:, :, 0].max() < 0.01
    assert max(brain[0].max(), brain[-1].max(), brain[:, 0].max(), brain[:, -1].max()) < 0.01


def test_a_brain_that_only_touches_the_end_of_the_scan_does_not_go_on_behind_it() -> None:
    mask = np.zeros((64, 64, 40), dtype=bool)
    mask[24:40, 24:40, 20:] = True

    brain = coarse_brain(Volume(mask.astype(np.float32), np.eye(4)), mask)

    assert brain[:, :, -1].max() < 0.01


@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_padding_around_a_scan_changes_nothing_in_how_its_brain_is_looked_at(noise: float) -> None:
    plain, padded = (coarse_brain(*each) for each in make_padded(noise=noise))

    np.testing.assert_array_equal(plain, padded)


def make_padded(*, noise: float) -> tuple[tuple[Volume, Mask], tuple[Volume, Mask]]:
    """A brain whose top is cut off, in air; and the same with planes of one value at all ends."""
    scan = make_volume((60, 60, 60), np.diag([2.0, 2.0, 2.5, 1.0]))
    air = np.random.default_rng(0).random((60, 60, 40), dtype=np.float32) * noise
    voxels = np.where(scan.voxels[:, :, :40] > 0, scan.voxels[:, :, :40], air)
    mask = np.asarray(scan.voxels[:, :, :40] > 0)
    pads = ((7, 3), (0, 11), (5, 2))
    affine = scan.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.array([7, 0, 5])
    plain = Volume(voxels, scan.affine), mask
    return plain, (Volume(np.pad(voxels, pads), affine), np.pad(mask, pads))
