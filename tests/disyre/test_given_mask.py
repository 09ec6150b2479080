"""A mask that came with a scan."""

import numpy as np
import pytest
from scipy import ndimage

from disyre import given_mask
from disyre.errors import MaskMismatch
from disyre.resampling import reorient
from disyre.types import Mask
from disyre.volume import Volume
from tests.builders import make_volume

THREE_MM = np.diag([3.0, 3.0, 3.0, 1.0])


def brain_of(volume: Volume, mask: Mask) -> Mask:
    return given_mask.brain_mask(volume, volume.with_voxels(mask.astype(np.float32)))


def make_head() -> tuple[Volume, Mask]:
    """A brain in tissue in noisy air, and where the brain is."""
    brain = make_volume(affine=THREE_MM)
    inside = brain.voxels > 0
    head = ndimage.binary_dilation(inside, iterations=2)
    noise = 3 * np.random.default_rng(0).random(brain.shape, dtype=np.float32)
    tissue = np.where(head, np.float32(60), np.float32(0))
    return brain.with_voxels(noise + np.where(inside, brain.voxels, tissue)), inside


def test_a_brain_mask_is_what_is_above_0_in_whatever_order_it_is_stored() -> None:
    volume = make_volume()
    inside = volume.voxels > 0
    mask = volume.with_voxels(np.where(inside, 0.1, -1).astype(np.float32))

    for stored in (mask, reorient(mask, np.diag([-1.0, 1.0, -1.0, 1.0])[[1, 0, 2, 3]])):
        np.testing.assert_array_equal(given_mask.brain_mask(volume, stored), inside)


def test_a_mask_of_another_grid_is_refused() -> None:
    with pytest.raises(MaskMismatch, match="shape"):
        given_mask.on_scan(make_volume(), make_volume((40, 48, 35)))


def test_an_empty_mask_is_refused() -> None:
    volume = make_volume()

    with pytest.raises(MaskMismatch, match="empty"):
        given_mask.on_scan(volume, volume.with_voxels(np.zeros_like(volume.voxels)))


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_mask_of_a_whole_scan_with_air_is_refused(scale: float) -> None:
    """Whether the air is of one value, or the scan only larger than any brain."""
    rng = np.random.default_rng(0)
    shape = (70, 70, 70)
    stripped = make_volume(shape)
    noisy = Volume(rng.random(shape, dtype=np.float32), np.diag([scale * 10.0] * 3 + [1.0]))

    for volume in (stripped, noisy):
        with pytest.raises(
            MaskMismatch, match="above 0 in all voxels of the scan, those around the brain too"
        ):
            brain_of(volume, np.ones(shape, dtype=bool))


def test_a_mask_of_a_whole_scan_within_a_brain_is_taken() -> None:
    rng = np.random.default_rng(0)
    volume = Volume(rng.random((50, 50, 50), dtype=np.float32), np.eye(4) * [2, 2, 2, 1])

    assert brain_of(volume, np.ones(volume.shape, dtype=bool)).all()


def test_a_mask_that_is_larger_than_any_brain_is_refused() -> None:
    volume = make_volume(affine=np.diag([4.0, 4.0, 4.0, 1.0]))

    with pytest.raises(MaskMismatch, match=r"at most 2500 mL, .* got one of 3\d\d\d mL; it may be inverted"):
        brain_of(volume, volume.voxels <= 0)


def cube(volume: Volume, edge: int) -> Mask:
    """In the middle of a scan."""
    mask = np.zeros(volume.shape, dtype=bool)
    mask[20 : 20 + edge, 20 : 20 + edge, 20 : 20 + edge] = True
    return mask


def test_a_mask_of_next_to_nothing_is_none_of_a_brain() -> None:
    volume = make_volume((60, 60, 60))
    dot = cube(volume, 9)

    with pytest.raises(MaskMismatch, match=r"at least 10 mL, got one of 0\.7 mL"):
        brain_of(volume, dot)
    np.testing.assert_array_equal(given_mask.on_scan(volume, volume.with_voxels(dot.astype(np.float32))), dot)


def test_a_mask_of_a_part_of_a_brain_is_taken() -> None:
    volume = make_volume((60, 60, 60))
    part = cube(volume, 22)

    np.testing.assert_array_equal(brain_of(volume, part), part)


def test_an_inverted_mask_of_a_scan_that_is_small_is_refused() -> None:
    stripped = make_volume(affine=THREE_MM)
    head, brain = make_head()
    air = ~ndimage.binary_dilation(brain, iterations=3)

    for volume, wrong in ((stripped, ~brain), (head, air)):
        with pytest.raises(MaskMismatch, match=r"9\d % of it in the background|100 % of it in the back"):
            brain_of(volume, wrong)


def test_a_box_around_a_brain_and_a_part_of_one_are_taken() -> None:
    stripped = make_volume(affine=THREE_MM)
    head, brain = make_head()
    box, half = np.zeros_like(brain), brain.copy()
    box[1:-1, 1:-1, 1:-1] = True
    half[:20] = False

    for volume in (stripped, head):
        for mask in (brain, box, half):
            np.testing.assert_array_equal(brain_of(volume, mask), mask)


def test_a_scan_of_one_value_is_none_of_the_masks_faults() -> None:
    volume = make_volume(affine=THREE_MM)
    flat = volume.with_voxels(np.full_like(volume.voxels, 7))

    np.testing.assert_array_equal(brain_of(flat, volume.voxels > 0), volume.voxels > 0)


@pytest.mark.parametrize("by_voxels", [0, 4, 8])
def test_a_mask_that_is_moved_into_the_air_is_taken_with_a_warning(by_voxels: int) -> None:
    head, brain = make_head()
    moved = np.roll(brain, by_voxels, axis=1)
    warnings: list[str] = []

    mask = head.with_voxels(moved.astype(np.float32))
    np.testing.assert_array_equal(given_mask.brain_mask(head, mask, warnings.append), moved)

    assert ["of the mask lie in the background" in warning for warning in warnings] == [True] * (
        by_voxels > 4
    )
