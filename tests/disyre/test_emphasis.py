"""What counts more in a map: the direction of a change, and the rank of a grey in its brain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from disyre.emphasis import Emphasis
from disyre.grey_rank import rank_weight
from disyre.pipeline import score_volume
from disyre.types import Batch
from tests.builders import make_manifest, make_settings, make_volume

CHANGES = hnp.arrays(np.float32, (2, 1, 4, 5), elements=st.floats(-1, 1, width=32))


@given(change=CHANGES)
def test_a_change_in_the_direction_of_lesions_counts_whole_and_the_other_a_share(change: Batch) -> None:
    sizes = Emphasis(towards="bright", other=0.25).size(change)

    np.testing.assert_array_equal(sizes[change >= 0], change[change >= 0])
    np.testing.assert_allclose(sizes[change < 0], -0.25 * change[change < 0], rtol=1e-6)


@given(change=CHANGES)
def test_dark_is_bright_with_the_sign_turned(change: Batch) -> None:
    dark, bright = Emphasis(towards="dark"), Emphasis(towards="bright")

    np.testing.assert_array_equal(dark.size(change), bright.size(-change))


@given(change=CHANGES)
def test_with_a_weight_of_1_all_changes_are_alike_as_in_the_papers(change: Batch) -> None:
    np.testing.assert_array_equal(Emphasis(towards="dark", other=1.0).size(change), np.abs(change))


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_weight_is_the_rank_in_the_brain_as_scipy_ranks_it(power: float) -> None:
    greys = np.linspace(0.1, 1.0, 10, dtype=np.float32)
    slices = np.repeat(greys, 900).reshape(10, 30, 30)  # even slices: the smoothing changes nothing
    slices[:, :5] = 0

    weight = rank_weight(slices, Emphasis(towards="bright", rank_power=power))

    inside = slices > 0
    expected = ((stats.rankdata(slices[inside]) - 0.5) / inside.sum()) ** power
    np.testing.assert_allclose(weight[inside], expected, atol=1e-5)
    assert not weight[~inside].any()


def test_the_darkest_has_the_highest_weight_where_lesions_are_dark() -> None:
    slices = np.random.default_rng(0).uniform(0.1, 1, (4, 20, 20)).astype(np.float32)

    dark, bright = (rank_weight(slices, Emphasis(towards=look, rank_power=1)) for look in ("dark", "bright"))

    np.testing.assert_allclose(dark + bright, 1, atol=1e-5)


def test_a_gamma_of_the_scan_does_not_change_the_weight() -> None:
    """Ranks depend on the order of greys alone."""
    slices = np.random.default_rng(0).uniform(0.1, 1, (4, 40, 40)).astype(np.float32)
    emphasis = Emphasis(towards="bright", rank_power=2)

    np.testing.assert_allclose(rank_weight(slices**0.7, emphasis), rank_weight(slices, emphasis), atol=2e-3)


def test_a_brain_that_is_empty_has_no_weight() -> None:
    empty = np.zeros((2, 8, 8), np.float32)

    assert not rank_weight(empty, Emphasis(towards="bright", rank_power=1)).any()


def test_the_map_of_a_scan_is_what_its_settings_make_of_a_change() -> None:
    """`darken` makes everything darker: the scan is brighter than expected everywhere."""

    def darken(x: Batch, severity: float) -> Batch:
        return x * np.float32(0.5)

    volume = make_volume()
    maps = {
        emphasis: score_volume(volume, darken, make_manifest(), settings=make_settings(emphasis=emphasis))
        for emphasis in (None, Emphasis(towards="bright"), Emphasis(towards="dark", other=0.5))
    }
    plain, bright, dark = (scored.anomaly_map.voxels for scored in maps.values())

    np.testing.assert_array_equal(bright, plain)
    np.testing.assert_allclose(dark, 0.5 * plain, atol=1e-6)
    ranked = make_settings(emphasis=Emphasis(towards="bright", rank_power=1))
    weighed = score_volume(volume, darken, make_manifest(), settings=ranked).anomaly_map.voxels
    assert (weighed <= plain + 1e-6).all()
    assert 0.2 < weighed.sum() / plain.sum() < 0.8
