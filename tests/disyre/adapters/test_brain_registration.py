"""Real brains, turned by what is known: how they lie is found, and left and right stay apart."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from disyre import brain, geometry
from disyre.adapters.brain_registration import find_pose, upright_brain
from disyre.adapters.nifti import read_nifti
from disyre.preparation_record import Swap
from disyre.tilt import Tilt, Turn, coarse_brain
from disyre.types import Mask
from disyre.volume import Volume
from tests.builders import make_volume
from tests.real_data import real_data

EXAMPLE = Path(__file__).parents[3] / "examples" / "t1w.nii.gz"
KNOWN = [(40, 0, 0), (-40, 0, 0), (0, 35, 0), (0, 0, -45), (20, -25, 30)]
"""Pitch, roll and yaw in degrees."""


def turned(volume: Volume, mask: Mask, turn: Turn) -> tuple[Volume, Mask]:
    """A head that lies otherwise, in voxels of 2 mm whose axes are those of the first scan in RAS order."""
    axes, signs = geometry.axes_to_ras(volume.affine)
    right = volume.affine[:3, list(axes)] * signs
    right = right / np.linalg.norm(right, axis=0)
    centre = geometry.apply_affine(volume.affine, np.argwhere(mask).mean(axis=0)[np.newaxis])[0]
    affine = np.eye(4)
    affine[:3, :3] = right * 2
    affine[:3, 3] = centre - affine[:3, :3] @ np.full(3, 55.0)
    back = np.eye(4)
    back[:3, :3] = right @ turn.T @ right.T
    back[:3, 3] = centre - back[:3, :3] @ centre
    to_index = np.linalg.inv(volume.affine) @ back @ affine
    voxels = ndimage.affine_transform(
        np.where(mask, 1, 0).astype(np.float32),
        to_index[:3, :3],
        to_index[:3, 3],
        output_shape=(111,) * 3,
        order=1,
    )
    return Volume(voxels, affine), np.asarray(voxels >= 0.5)


def pose_of(volume: Volume, mask: Mask) -> Turn:
    tilt = Tilt.measure(volume, mask, find_pose)
    assert tilt is not None
    return tilt.turn


def angle_between(one: Turn, other: Turn) -> float:
    return float(np.degrees(Rotation.from_matrix(one @ other.T).magnitude()))


def check_known_turns(path: Path) -> None:
    volume = read_nifti(path)
    mask = brain.stripped_mask(volume)
    first = pose_of(volume, mask)
    for angles in KNOWN:
        turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()

        found = pose_of(*turned(volume, mask, turn))

        assert angle_between(found, turn @ first) < 3


def test_the_turns_of_the_example_are_found_within_3_degrees() -> None:
    check_known_turns(EXAMPLE)


@pytest.mark.parametrize(
    "name",
    [
        "healthy_t1w/ds002748/sub-05_T1w.nii.gz",
        "healthy_t1w/oasis/sub-1000_T1w.nii.gz",
        "healthy_t1w/oasis/sub-1122_T1w.nii.gz",
        "lesion/ms_patient07/T1w.nii.gz",
    ],
)
def test_the_turns_of_other_brains_are_found_within_3_degrees(name: str) -> None:
    check_known_turns(real_data(name))


def test_a_head_that_lies_as_heads_do_is_hardly_tilted_however_it_is_stored() -> None:
    volume = read_nifti(EXAMPLE)
    mask = brain.stripped_mask(volume)
    flipped = Volume(volume.voxels[::-1, :, ::-1].copy(), volume.affine)
    flip = np.diag([-1.0, 1.0, -1.0, 1.0])
    flip[[0, 2], 3] = volume.shape[0] - 1, volume.shape[2] - 1
    flipped = Volume(flipped.voxels, volume.affine @ flip)

    first, other = pose_of(volume, mask), pose_of(flipped, mask[::-1, :, ::-1])

    assert Tilt(first).angle_deg < 8
    assert angle_between(first, other) < 1
    assert np.linalg.det(first) == pytest.approx(1)


def test_the_same_brain_gives_the_same_pose() -> None:
    volume = read_nifti(EXAMPLE)
    shape = coarse_brain(volume, brain.stripped_mask(volume))

    np.testing.assert_array_equal(find_pose(shape, 4.0).turn, find_pose(shape, 4.0).turn)


@pytest.mark.parametrize(
    ("ways", "swap"),
    [((), None), ((2,), "up and down"), ((1,), "front and back"), ((1, 2), "up and down, front and back")],
)
def test_a_brain_that_is_stored_in_reverse_under_an_unchanged_header_is_told(
    ways: tuple[int, ...], swap: Swap | None
) -> None:
    volume = read_nifti(EXAMPLE)
    axes, _ = geometry.axes_to_ras(volume.affine)
    scan = volume.with_voxels(np.flip(volume.voxels, tuple(axes[way] for way in ways)))
    told: list[Swap] = []

    tilt = Tilt.measure(scan, brain.stripped_mask(scan), find_pose, on_swap=told.append)

    assert (tilt is None) == (swap is not None)
    assert told == ([] if swap is None else [swap])


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    "ends",
    [(0.0, 0.4), (0.0, 0.5), (0.0, 0.7), (0.3, 1.0), (0.5, 1.0), (0.2, 0.8), (0.35, 0.65), (0.58, 0.83)],
)
def test_a_part_of_a_brain_has_the_tilt_of_the_whole_or_none(axis: int, ends: tuple[float, float]) -> None:
    volume = read_nifti(EXAMPLE)
    mask = brain.stripped_mask(volume)
    part, part_mask = cut(volume, mask, axis=axis, ends=ends)
    told: list[Swap] = []

    tilt = Tilt.measure(part, part_mask, find_pose, on_swap=told.append)

    assert told == []
    assert tilt is None or angle_between(tilt.turn, pose_of_the_example()) < 5


@cache
def pose_of_the_example() -> Turn:
    volume = read_nifti(EXAMPLE)
    return pose_of(volume, brain.stripped_mask(volume))


def cut(volume: Volume, mask: Mask, *, axis: int, ends: tuple[float, float]) -> tuple[Volume, Mask]:
    """A part of a scan; where it ends is given in shares of the brain along an axis."""
    (inside,) = np.nonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
    size = inside[-1] + 1 - inside[0]
    start, stop = (int(inside[0] + end * size) for end in ends)
    box = tuple(slice(start, stop) if n == axis else slice(None) for n in range(3))
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, axis] * start
    # what is around a brain is not of one value, or it would be taken for padding
    air = np.random.default_rng(0).random(volume.shape, dtype=np.float32)
    return Volume(np.where(mask, volume.voxels, air)[box], affine), mask[box]


def test_a_few_voxels_and_a_ball_lie_nowhere() -> None:
    few = np.zeros((40, 40, 40), dtype=bool)
    few[20, 20, 20:22] = True
    ball = make_volume((60, 60, 60), np.diag([3.0, 3.0, 3.0, 1.0]))

    assert Tilt.measure(Volume(few.astype(np.float32), np.eye(4)), few, find_pose) is None
    assert Tilt.measure(ball, ball.voxels > 0, find_pose) is None


def test_a_block_that_cannot_be_laid_upon_a_brain_lies_nowhere() -> None:
    assert find_pose(np.ones((3, 3, 3), dtype=np.float32), 40.0).overlap == 0


def test_the_upright_brain_is_small_and_the_same_on_both_sides() -> None:
    upright = upright_brain()

    np.testing.assert_array_equal(upright.voxels, upright.voxels[::-1])
    assert 1000 < upright.voxels.sum() * upright.spacing_mm**3 / 1000 < 2000
