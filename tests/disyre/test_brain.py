"""Where the brain is."""

import numpy as np
import pytest

from disyre import brain
from disyre.errors import EmptyImage, NotBrainMr
from disyre.volume import Volume
from tests.builders import make_volume


@pytest.mark.parametrize("background", [0.0, -1000.0, 7.0])
def test_a_stripped_brain_is_what_is_not_background(background: float) -> None:
    volume = make_volume()
    inside = volume.voxels > 0
    shifted = volume.with_voxels(np.where(inside, volume.voxels, background).astype(np.float32))

    np.testing.assert_array_equal(brain.stripped_mask(shifted), inside)


def test_a_ventricle_that_is_exactly_background_is_brain() -> None:
    volume = make_volume()
    inside = volume.voxels > 0
    voxels = volume.voxels.copy()
    voxels[18:22, 22:26, 16:20] = 0

    np.testing.assert_array_equal(brain.stripped_mask(volume.with_voxels(voxels)), inside)


def test_a_stray_blob_outside_the_brain_is_not_brain() -> None:
    volume = make_volume()
    voxels = volume.voxels.copy()
    voxels[1:3, 1:3, 1:3] = 500

    mask = brain.stripped_mask(volume.with_voxels(voxels))

    assert not mask[:4, :4, :4].any()


def test_an_image_of_one_value_has_no_brain() -> None:
    with pytest.raises(EmptyImage, match="one value"):
        brain.stripped_mask(Volume(np.full((8, 8, 8), 3, np.float32), np.eye(4)))


def test_a_whole_head_without_a_mask_is_refused_and_the_message_says_what_helps() -> None:
    noise = np.random.default_rng(0).random((16, 16, 16), dtype=np.float32)

    with pytest.raises(NotBrainMr, match="brain mask"):
        brain.stripped_mask(Volume(noise, np.eye(4)))


def test_a_head_whose_air_is_background_is_too_large_for_a_brain() -> None:
    head = make_volume(affine=np.diag([5.0, 5.0, 6.0, 1.0]))

    with pytest.raises(NotBrainMr, match=r"mL that are not background, which is more than a brain has"):
        brain.stripped_mask(head)


@pytest.mark.parametrize(("edge_mm", "warnings"), [(1.0, 1), (4.0, 0), (5.5, 1)])
def test_a_brain_of_unusual_size_gives_a_warning(edge_mm: float, warnings: int) -> None:
    volume = make_volume(affine=np.diag([edge_mm, edge_mm, edge_mm, 1.0]))

    found = brain.size_warnings(volume.voxels > 0, volume)

    assert len(found) == warnings
    assert all("mL" in warning for warning in found)


def test_the_background_is_what_is_common_at_the_border() -> None:
    volume = make_volume()
    shifted = volume.with_voxels(np.where(volume.voxels > 0, volume.voxels, -7).astype(np.float32))
    noise = volume.with_voxels(np.random.default_rng(0).random(volume.shape, dtype=np.float32))

    assert brain.background(volume) == 0
    assert brain.background(shifted) == -7
    assert brain.background(noise) == 0


def test_padding_is_no_background_of_a_scan_with_another() -> None:
    volume = make_volume()
    shifted = volume.with_voxels(np.where(volume.voxels > 0, volume.voxels, -7).astype(np.float32))
    noise = np.random.default_rng(0).random(volume.shape, dtype=np.float32)

    assert brain.background(Volume(np.pad(shifted.voxels, 9, constant_values=-7), volume.affine)) == -7
    assert brain.background(Volume(np.pad(noise, 20, constant_values=3), volume.affine)) == 0


@pytest.mark.parametrize("value", [-1000.0, -0.5])
def test_a_background_below_0_where_nothing_else_is_was_never_measured(value: float) -> None:
    volume = make_volume()
    padded = volume.with_voxels(np.where(volume.voxels > 0, volume.voxels, value).astype(np.float32))
    told: list[float] = []

    found = brain.without_padding_below_zero(padded, told.append)

    np.testing.assert_array_equal(found.voxels, volume.voxels)
    assert told == [value]


def test_a_background_below_0_of_a_scan_with_other_values_below_0_stays() -> None:
    stripped = make_volume()
    z_scored = stripped.with_voxels(np.where(stripped.voxels > 0, stripped.voxels - 100, -200).astype("f4"))
    rare = stripped.with_voxels(np.random.default_rng(0).random(stripped.shape, dtype=np.float32) - 0.5)
    one_value = stripped.with_voxels(np.full_like(stripped.voxels, -3))

    told: list[float] = []
    for scan in (stripped, z_scored, rare, one_value):
        assert brain.without_padding_below_zero(scan, told.append) is scan
    assert told == []
