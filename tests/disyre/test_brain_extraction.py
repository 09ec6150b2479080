"""Where the brain is in a head, with a stand-in for the network: what is bright is brain."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from disyre import brain_extraction
from disyre.brain_extraction import BrainFinder
from disyre.errors import EmptyImage, JobCanceled, NotBrainMr
from disyre.progress import go_on
from disyre.resampling import reorient
from disyre.scan_record import Certainty
from disyre.types import Affine, Mask, Voxels
from disyre.volume import Volume
from tests.strategies import axis_affines

SPACING_MM = 3.0


def bright(image: Voxels) -> Voxels:
    assert image.min() >= 0
    assert image.max() <= 1
    assert not any(n % 8 for n in image.shape)
    return np.where(image > 0.5, np.float32(0.98), np.float32(0.02))


find = BrainFinder(bright, spacing_mm=4.0, stride=8)


def make_head(skull: float = 60.0, noise: float = 5.0) -> tuple[Volume, Mask]:
    """A bright ball of 0.9 L with bright spots, in a darker one, in air with noise; and where it is."""
    n = 60
    axes = np.indices((n, n, n)) - (n - 1) / 2
    radius_mm = SPACING_MM * np.sqrt((axes**2).sum(0))
    rng = np.random.default_rng(0)
    voxels = rng.random((n, n, n), dtype=np.float32) * noise
    voxels[radius_mm < 80] += np.float32(skull)
    inside = radius_mm < 60
    blobs = ndimage.gaussian_filter(rng.random(inside.shape), 1)[inside]
    spots = 15 * (blobs > np.percentile(blobs, 97))
    voxels[inside] = 200 + spots + rng.normal(0, 2, np.count_nonzero(inside))
    return Volume(voxels, np.diag([SPACING_MM] * 3 + [1.0])), np.asarray(inside)


def test_the_brain_of_a_head_is_what_the_network_calls_brain() -> None:
    head, inside = make_head()

    found = find(head)

    assert found.source == "extracted"
    assert found.certainty == Certainty(mean=0.98, undecided=0)
    assert 2 * (found.mask & inside).sum() / (found.mask.sum() + inside.sum()) > 0.96


def test_a_scan_without_a_skull_is_passed_through_as_it_is() -> None:
    stripped, inside = make_head(skull=0, noise=0)

    found = find(stripped)

    assert found.source == "skull-stripped"
    np.testing.assert_array_equal(found.mask, inside)


def test_a_head_in_empty_air_is_not_taken_for_a_stripped_brain() -> None:
    head, inside = make_head(noise=0)
    small = Volume(head.voxels, np.diag([2.0, 2.0, 2.0, 1.0]))

    found = find(small)

    assert found.source == "extracted"
    assert found.mask.sum() < 1.1 * inside.sum()


def test_a_field_of_view_that_the_brain_fills_is_not_taken_for_a_stripped_brain() -> None:
    head, inside = make_head()
    close = (slice(20, 40),) * 3
    filled = Volume(head.voxels[close].copy(), np.diag([4.0, 4.0, 4.0, 1.0]))
    filled.voxels[:] += np.random.default_rng(1).random((20, 20, 20), dtype=np.float32)  # no value is common
    filled.voxels[0] /= 4

    found = find(filled)

    assert inside[close].all()
    assert found.source == "extracted"
    assert found.mask[1:].mean() > 0.9


def test_what_is_bright_beside_the_brain_is_not_brain() -> None:
    head, _ = make_head()
    head.voxels[1:6, 1:6, 1:6] = 220

    assert not find(head).mask[:8, :8, :8].any()


def test_a_dark_place_in_the_brain_is_brain() -> None:
    head, _ = make_head()
    head.voxels[26:34, 26:34, 26:34] = 0

    assert find(head).mask[30, 30, 30]


@pytest.mark.parametrize(("skull", "noise"), [(60.0, 5.0), (60.0, 0.0), (0.0, 0.0)])
@pytest.mark.parametrize("value", [0.0, 30.0])
def test_padding_around_a_scan_changes_nothing(skull: float, noise: float, value: float) -> None:
    head, _ = make_head(skull, noise)
    if not noise and value:
        head.voxels[head.voxels == 0] = value  # padding goes on where the scan's own air of one value ends
    padded = Volume(np.pad(head.voxels, ((9, 9), (5, 0), (1, 40)), constant_values=value), head.affine)

    found, expected = find(padded), find(head)

    assert found.source == expected.source
    np.testing.assert_array_equal(found.mask[9:-9, 5:, 1:-40], expected.mask)
    assert found.mask.sum() == expected.mask.sum()


def test_left_and_right_are_treated_alike() -> None:
    """A network that prefers one side has its preference averaged away."""
    volume, _ = make_head()

    def sided(image: Voxels) -> Voxels:
        weight = np.linspace(0.8, 1.0, len(image), dtype=np.float32)[:, None, None]
        return np.asarray(bright(image) * weight)

    finder = BrainFinder(sided, spacing_mm=4, stride=8)
    mirrored = volume.with_voxels(np.ascontiguousarray(volume.voxels[::-1]))

    np.testing.assert_array_equal(finder(mirrored).mask, finder(volume).mask[::-1])


def test_a_small_image_lies_in_the_middle_of_nothing() -> None:
    """A network that normalises over its whole input has to see as much nothing as in its training."""
    head, _ = make_head()
    seen: list[tuple[int, ...]] = []

    def frame(image: Voxels) -> Voxels:
        seen.append(image.shape)
        assert not image[:4].any()
        assert not image[:, :, -4:].any()
        return bright(image)

    found = BrainFinder(frame, spacing_mm=4, stride=8, least_shape=(56, 60, 64))(head)

    assert set(seen) == {(56, 64, 64)}
    np.testing.assert_array_equal(found.mask, find(head).mask)


def test_a_section_larger_than_that_of_any_brain_is_none() -> None:
    slab = np.zeros((80, 80, 10), dtype=np.float32)
    slab[5:-5, 5:-5] = 100
    slab[:2] = 200

    with pytest.raises(NotBrainMr, match=r"a section of 4\d\d cm2 looks like brain, .* at most 300"):
        find(Volume(slab, np.diag([3.0, 3.0, 3.0, 1.0])))


def test_noise_is_no_brain() -> None:
    noise = np.random.default_rng(0).random((60, 60, 60), dtype=np.float32)

    with pytest.raises(NotBrainMr, match="mL look like brain"):
        find(Volume(noise, np.eye(4)))


def test_nothing_that_looks_like_brain_is_no_brain() -> None:
    head, _ = make_head()
    blind = BrainFinder(np.zeros_like, spacing_mm=4.0, stride=8)

    with pytest.raises(NotBrainMr, match=r"0 mL look like brain; .* mask .* whole head .* header"):
        blind(head)


def test_a_network_that_hesitates_has_found_no_brain() -> None:
    head, _ = make_head()
    unsure = BrainFinder(
        lambda image: np.where(image > 0.5, 0.6, 0).astype(np.float32), spacing_mm=4, stride=8
    )

    with pytest.raises(NotBrainMr, match=r"certainty 60 %.* mask .* whole head .* header"):
        unsure(head)


def test_an_image_of_one_value_is_empty() -> None:
    with pytest.raises(EmptyImage, match="one value"):
        find(Volume(np.full((20, 20, 20), 3, np.float32), np.eye(4)))


def test_a_few_bright_voxels_in_nothing_still_make_an_image() -> None:
    image = np.zeros((10, 10, 10), np.float32)
    image[5, 5, 5] = 9

    assert brain_extraction.normalize(image).max() == 1


@given(like=axis_affines())
def test_the_order_in_which_a_scan_is_stored_changes_nothing(like: Affine) -> None:
    head, _ = make_head()
    there = reorient(head, like)

    expected = reorient(head.with_voxels(find(head).mask.astype(np.float32)), like).voxels > 0

    np.testing.assert_array_equal(find(there).mask, expected)


@given(n=st.tuples(*[st.integers(45, 64)] * 3))
def test_any_shape_gives_a_mask_of_that_shape(n: tuple[int, int, int]) -> None:
    head, _ = make_head()
    cut = Volume(head.voxels[: n[0], : n[1], : n[2]], head.affine)

    assert find(cut).mask.shape == cut.shape


@given(seed=st.integers(0, 99), spacing_mm=st.tuples(*[st.sampled_from([0.9, 2.0, 6.5])] * 3))
def test_what_is_close_to_a_brain_is_the_same_looked_at_in_slabs(
    seed: int, spacing_mm: tuple[float, float, float]
) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((70, 9, 8)) > 0.995
    mask[3, 4, 4] = True
    foreground = rng.random(mask.shape) > 0.5

    n_close = brain_extraction._n_close(foreground, mask, spacing_mm, go_on)

    distance_mm = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    assert n_close == np.count_nonzero(distance_mm[foreground] <= 6.0)


@pytest.mark.parametrize("skull", [0.0, 60.0])
def test_whoever_waits_for_a_brain_is_asked_between_all_steps_and_may_stop_it(skull: float) -> None:
    head, _ = make_head(skull=skull, noise=0.0 if skull == 0 else 5.0)
    n_asked = [0]

    def count() -> None:
        n_asked[0] += 1

    find.asking(count)(head)

    assert n_asked[0] > 15
    for n_before in (0, n_asked[0] - 1):
        left = iter(range(n_before))

        def stop(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise JobCanceled

        with pytest.raises(JobCanceled):
            find.asking(stop)(head)
