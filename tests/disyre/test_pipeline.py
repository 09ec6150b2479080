"""Scoring a scan from end to end, over restorers that are one line each."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from disyre.bias_field import BiasField
from disyre.errors import EmptyImage, JobCanceled, Misconfigured, NotBrainMr, TooFewSlices, UnusableVolume
from disyre.model_package import Grid, Mode, Windows
from disyre.pipeline import ScoredVolume, score_volume
from disyre.presets import parity
from disyre.progress import Progress
from disyre.tilt import FindPose, Pose, Turn
from disyre.types import Affine, Batch, Mask, Voxels
from disyre.volume import Volume
from tests.builders import make_manifest, make_settings, make_volume


def smooth(x: Batch, severity: float) -> Batch:
    """A network that takes every detail for an anomaly."""
    return np.asarray(ndimage.gaussian_filter(x, (0, 0, 2, 2)), dtype=np.float32)


def darken(x: Batch, severity: float) -> Batch:
    return x * np.float32(0.5)


def oriented(volume: Volume, order: tuple[int, ...], flips: tuple[bool, ...]) -> Volume:
    """The same scan with its voxels stored in another order."""
    voxels = volume.voxels.transpose(order)
    index = np.zeros((4, 4))
    index[3, 3] = 1
    for new, (old, flip) in enumerate(zip(order, flips, strict=True)):
        index[old, new] = -1 if flip else 1
        index[old, 3] = voxels.shape[new] - 1 if flip else 0
        voxels = np.flip(voxels, new) if flip else voxels
    return Volume(np.ascontiguousarray(voxels), volume.affine @ index)


def undo(voxels: np.ndarray, order: tuple[int, ...], flips: tuple[bool, ...]) -> np.ndarray:
    """Back to the first order."""
    for axis, flip in enumerate(flips):
        voxels = np.flip(voxels, axis) if flip else voxels
    return voxels.transpose(np.argsort(order))


def test_the_map_is_what_the_network_takes_away_on_the_scans_own_grid() -> None:
    volume = make_volume(affine=np.diag([-1.0, 1.0, 1.0, 1.0]))
    inside = volume.voxels > 0
    white = np.percentile(volume.voxels[inside], 99)

    scored = score_volume(volume, darken, make_manifest())

    expected = np.where(inside, np.clip(volume.voxels / white, 0, 1) / 2, 0)
    np.testing.assert_allclose(scored.anomaly_map.voxels, expected, atol=1e-6)
    np.testing.assert_allclose(scored.restored.voxels, volume.voxels - expected * white, atol=1e-3)
    np.testing.assert_array_equal(scored.brain_mask, inside)
    np.testing.assert_array_equal(scored.anomaly_map.affine, volume.affine)


def test_all_48_orientations_of_a_scan_give_the_same_map_in_the_world() -> None:
    affine: Affine = np.diag([0.9, 1.3, 2.1, 1.0])
    volume = make_volume((20, 26, 18), affine)
    expected = score_volume(volume, smooth, make_manifest()).anomaly_map.voxels

    for order, flips in product(permutations(range(3)), product([False, True], repeat=3)):
        scored = score_volume(oriented(volume, order, flips), smooth, make_manifest())

        np.testing.assert_allclose(undo(scored.anomaly_map.voxels, order, flips), expected, atol=2e-5)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.9, 1.2), (1.6, 0.7, 3.0)])
def test_nothing_is_scored_outside_the_brain(spacing: tuple[float, float, float]) -> None:
    volume = make_volume(affine=np.diag([*spacing, 1.0]))

    scored = score_volume(volume, darken, make_manifest())

    assert not scored.anomaly_map.voxels[~scored.brain_mask].any()
    assert not scored.restored.voxels[~scored.brain_mask].any()
    assert not (scored.brain_mask & (volume.voxels == 0)).any()
    assert scored.anomaly_map.voxels[scored.brain_mask].min() > 0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.87, 0.9, 1.2), (0.4, 2.3, 3.1)])
def test_empty_space_around_the_brain_changes_nothing(spacing: tuple[float, float, float]) -> None:
    small = make_volume(affine=np.diag([*spacing, 1.0]))
    edges = [(3, 8), (11, 1), (5, 4)]
    affine = small.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ [before for before, _ in edges]
    large = Volume(np.pad(small.voxels, edges), affine)

    inside = tuple(slice(before, before + n) for (before, _), n in zip(edges, small.shape, strict=True))
    for found, expected in zip(_both(large), _both(small), strict=True):
        np.testing.assert_allclose(found.voxels[inside], expected.voxels, atol=1e-4)


def test_a_scan_that_is_not_changed_is_restored_to_itself_on_any_grid() -> None:
    volume = make_volume(affine=np.diag([0.7, 1.3, 2.0, 1.0]))

    scored = score_volume(volume, lambda x, severity: x, make_manifest())

    np.testing.assert_array_equal(scored.restored.voxels, np.where(scored.brain_mask, volume.voxels, 0))


def test_a_given_mask_says_where_the_brain_is() -> None:
    head = make_volume()
    noise = np.random.default_rng(0).random(head.shape, dtype=np.float32) * 300
    brain = head.voxels > 0
    whole_head = head.with_voxels(np.where(brain, head.voxels, noise).astype(np.float32))

    scored = score_volume(whole_head, darken, make_manifest(), brain_mask=brain)

    np.testing.assert_allclose(
        scored.anomaly_map.voxels, score_volume(head, darken, make_manifest()).anomaly_map.voxels, atol=1e-6
    )


def test_a_batch_of_slices_gives_what_one_slice_at_a_time_gives() -> None:
    volume = make_volume()

    one, many = (score_volume(volume, smooth, make_manifest(), batch_size=n) for n in (1, 7))

    np.testing.assert_array_equal(one.anomaly_map.voxels, many.anomaly_map.voxels)


def test_smoothing_across_slices_takes_out_what_one_slice_has_alone() -> None:
    volume = make_volume()
    odd = iter(range(10_000))

    def flickers(x: Batch, severity: float) -> Batch:
        """Changes every other slice."""
        kept = [0.5 if next(odd) % 2 else 1.0 for _ in x]
        return x * np.array(kept, dtype=np.float32)[:, np.newaxis, np.newaxis, np.newaxis]

    settings = make_settings(severities=(0.5,), across_slices_mm=3.0)
    scored = score_volume(volume, flickers, make_manifest(), settings=settings)

    inside = scored.brain_mask
    means = [scored.anomaly_map.voxels[:, :, k][inside[:, :, k]].mean() for k in range(8, 28)]
    assert np.ptp(means) < 0.1 * np.mean(means)
    assert not scored.anomaly_map.voxels[~inside].any()


def test_smoothing_across_slices_leaves_an_even_map_alone_up_to_the_edge_of_the_brain() -> None:
    volume = make_volume()
    even = volume.with_voxels(np.where(volume.voxels > 0, np.float32(500), np.float32(0)))

    plain = score_volume(even, darken, make_manifest())
    smoothed = score_volume(even, darken, make_manifest(), settings=make_settings(across_slices_mm=2.0))

    np.testing.assert_allclose(smoothed.anomaly_map.voxels, plain.anomaly_map.voxels, atol=1e-5)


def test_windows_agree_with_whole_slices_where_the_network_looks_at_one_voxel() -> None:
    volume = make_volume()
    windows = make_settings(windows=Windows(window=32, stride=16))

    whole = score_volume(volume, darken, make_manifest())
    pieces = score_volume(volume, darken, make_manifest(), settings=windows)

    np.testing.assert_allclose(pieces.anomaly_map.voxels, whole.anomaly_map.voxels, atol=1e-6)


@pytest.mark.parametrize("mode", ["ensemble", "stepwise"])
def test_the_parity_preset_weighs_a_window_by_its_foreground(mode: Mode) -> None:
    volume = make_volume()
    settings = parity(mode)

    weighed = score_volume(volume, darken, make_manifest(), settings=settings)
    plain = score_volume(
        volume, darken, make_manifest(), settings=settings.model_copy(update={"foreground_weight": False})
    )

    top, middle = 6, 18
    share = [_mean(weighed, k) / _mean(plain, k) for k in (top, middle)]
    assert share[0] < share[1] < 0.2


def test_a_scan_whose_background_is_not_0_gives_the_same_map() -> None:
    volume = make_volume()
    shifted = volume.with_voxels(volume.voxels * 2 - np.float32(1000))

    plain = score_volume(volume, smooth, make_manifest())
    scored = score_volume(shifted, smooth, make_manifest())

    np.testing.assert_allclose(scored.anomaly_map.voxels, plain.anomaly_map.voxels, atol=1e-4)
    inside = scored.brain_mask
    np.testing.assert_allclose(
        scored.restored.voxels[inside], plain.restored.voxels[inside] * 2 - 1000, atol=0.05
    )
    assert (scored.restored.voxels[~inside] == -1000).all()


def test_a_scan_that_was_z_scored_is_refused() -> None:
    volume = make_volume()
    inside = volume.voxels > 0
    values = volume.voxels[inside]
    z_scored = np.where(inside, (volume.voxels - values.mean()) / values.std(), 0).astype(np.float32)

    with pytest.raises(UnusableVolume, match="z-scoring"):
        score_volume(volume.with_voxels(z_scored), darken, make_manifest())


def test_a_single_slice_is_no_volume() -> None:
    volume = make_volume()

    with pytest.raises(TooFewSlices, match="40 x 48 x 1"):
        score_volume(Volume(volume.voxels[:, :, 18:19], volume.affine), darken, make_manifest())


def test_progress_only_grows_and_counts_every_network_call() -> None:
    seen: list[Progress] = []

    score_volume(make_volume(), darken, make_manifest(), batch_size=10, on_progress=seen.append)

    steps = [p for p in seen if p.stage == "restoring"]
    assert [p.fraction for p in seen] == sorted(p.fraction for p in seen)
    assert [p.step for p in steps] == list(range(1, steps[-1].steps + 1))
    assert steps[-1].eta_s == 0


def test_a_scan_stops_at_the_network_call_at_which_it_is_canceled() -> None:
    def cancel(progress: Progress) -> None:
        if progress.step == 2:
            raise JobCanceled

    with pytest.raises(JobCanceled):
        score_volume(make_volume(), darken, make_manifest(), batch_size=1, on_progress=cancel)


def test_a_scan_that_is_not_stripped_is_refused_without_a_mask() -> None:
    noise = np.random.default_rng(0).random((16, 16, 16), dtype=np.float32)

    with pytest.raises(NotBrainMr):
        score_volume(Volume(noise, np.eye(4)), darken, make_manifest())


def test_a_brain_that_is_gone_on_the_models_grid_is_refused() -> None:
    voxels = np.zeros((20, 20, 20), np.float32)
    voxels[10, 10, 10] = 1

    with pytest.raises(EmptyImage, match="model's grid"):
        score_volume(Volume(voxels, np.diag([0.2, 0.2, 0.2, 1.0])), darken, make_manifest())


def _mean(scored: ScoredVolume, k: int) -> float:
    voxels = scored.anomaly_map.voxels[:, :, k]
    return float(voxels[voxels > 0].mean())


def _both(volume: Volume) -> tuple[Volume, Volume]:
    scored = score_volume(volume, smooth, make_manifest())
    return scored.anomaly_map, scored.restored


def thick(volume: Volume, n: int) -> Volume:
    """The same scan in slices of n voxels each, the mean of each."""
    k = volume.shape[2] // n * n
    voxels = volume.voxels[:, :, :k].reshape(*volume.shape[:2], -1, n).mean(axis=3, dtype=np.float32)
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 2] * (n - 1) / 2
    affine[:3, 2] *= n
    return Volume(voxels, affine)


def test_thick_axial_slices_are_looked_at_as_they_are_whatever_order_they_are_stored_in() -> None:
    scan = thick(make_volume(), 4)
    seen: list[tuple[int, ...]] = []

    def look(x: Batch, severity: float) -> Batch:
        seen.append(x.shape)
        return smooth(x, severity)

    expected = score_volume(scan, look, make_manifest(), batch_size=100)
    for order, flips in [((2, 0, 1), (True, False, False)), ((1, 2, 0), (False, True, True))]:
        there = score_volume(oriented(scan, order, flips), look, make_manifest(), batch_size=100)
        np.testing.assert_array_equal(
            undo(there.anomaly_map.voxels, order, flips), expected.anomaly_map.voxels
        )

    n_slices = int(np.count_nonzero((scan.voxels > 0).any(axis=(0, 1))))
    assert {shape[0] for shape in seen} == {n_slices}
    assert expected.preparation.own_slices
    assert expected.preparation.interpolated == ()


def test_thick_slices_that_are_not_axial_are_interpolated_and_that_is_said() -> None:
    scan = thick(make_volume(), 3)
    turned = Volume(scan.voxels, scan.affine[[2, 1, 0, 3]])

    record = score_volume(turned, smooth, make_manifest()).preparation

    assert record.interpolated == ("left-right",)
    assert record.model_spacing_mm == pytest.approx((1, 1, 1))


@given(
    spacing_mm=st.tuples(st.floats(0.6, 2.4), st.floats(0.6, 2.4), st.floats(0.6, 6.0)),
    order=st.permutations(range(3)),
    flips=st.tuples(*[st.booleans()] * 3),
)
def test_a_map_is_finite_on_the_scan_s_grid_and_0_where_the_network_saw_nothing(
    spacing_mm: tuple[float, float, float], order: list[int], flips: tuple[bool, bool, bool]
) -> None:
    scan = oriented(make_volume(affine=np.diag([*spacing_mm, 1.0])), tuple(order), flips)

    scored = score_volume(scan, darken, make_manifest())

    found = scored.anomaly_map
    assert found.shape == scan.shape
    np.testing.assert_array_equal(found.affine, scan.affine)
    assert np.isfinite(found.voxels).all()
    assert np.isfinite(scored.restored.voxels).all()
    assert not found.voxels[~scored.brain_mask].any()
    assert not scored.brain_mask[scan.voxels == 0].any()


@given(spacing_mm=st.tuples(*[st.floats(0.6, 2.4)] * 3), value=st.floats(0.01, 0.9))
def test_a_map_that_is_constant_where_the_network_looked_is_constant_on_the_scan(
    spacing_mm: tuple[float, float, float], value: float
) -> None:
    scored = score_volume(
        make_volume(affine=np.diag([*spacing_mm, 1.0])),
        lambda x, severity: x - np.float32(value),
        make_manifest(),
    )

    values = scored.anomaly_map.voxels[scored.brain_mask]
    np.testing.assert_allclose(values, value, rtol=1e-3)


def shaded(volume: Volume) -> tuple[Volume, Voxels]:
    """A scan with twice the light on its right as on its left, and the factor."""
    factor = np.linspace(0.7, 1.4, volume.shape[0], dtype=np.float32)[:, np.newaxis, np.newaxis]
    return volume.with_voxels(volume.voxels * factor), factor + 0 * volume.voxels


def test_a_shading_that_is_found_is_not_in_the_map_and_is_in_the_restored_scan_again() -> None:
    clean = make_volume((60, 72, 56), np.diag([1.5, 1.5, 1.5, 1.0]))
    scan, factor = shaded(clean)
    known = BiasField(factor, clean.voxels > 0)

    def find_bias(voxels: Voxels, brain_mask: Mask, spacing_mm: tuple[float, float, float]) -> Voxels:
        mm = (np.arange(voxels.shape[0]) - (voxels.shape[0] - 1) / 2) * spacing_mm[0]
        line = np.log(1.05 + 0.7 * mm / (59 * 1.5))
        return np.asarray(line[:, np.newaxis, np.newaxis] + 0 * voxels, dtype=np.float32)

    on = make_settings(bias_correction=True)
    scored = score_volume(scan, darken, make_manifest(), settings=on, find_bias=find_bias)
    expected = score_volume(clean, darken, make_manifest())
    plain = score_volume(scan, darken, make_manifest())

    inside = scored.brain_mask
    error = np.abs(scored.anomaly_map.voxels - expected.anomaly_map.voxels)[inside].mean()
    assert error < 0.15 * np.abs(plain.anomaly_map.voxels - expected.anomaly_map.voxels)[inside].mean()
    share = scored.restored.voxels[inside] / scan.voxels[inside]
    assert np.median(share) == pytest.approx(0.5, abs=0.02)  # half of the scan's own light, on both sides
    assert scored.preparation.bias_field == pytest.approx(known.range, rel=0.2)
    assert "correcting-bias" in scored.timings_s
    assert plain.preparation.bias_field is None


def test_a_scan_that_is_not_changed_is_restored_to_itself_with_its_shading() -> None:
    scan, _ = shaded(make_volume((60, 72, 56)))
    on = make_settings(bias_correction=True)

    scored = score_volume(
        scan, lambda x, severity: x, make_manifest(), settings=on, find_bias=lambda x, *_: 0.1 * x / x.max()
    )

    np.testing.assert_array_equal(scored.restored.voxels, np.where(scored.brain_mask, scan.voxels, 0))


TURN = Rotation.from_euler("xyz", (30, 10, -20), degrees=True).as_matrix()


def lying(turn: Turn, overlap: float = 1.0) -> FindPose:
    return lambda brain, spacing_mm: Pose(turn, overlap)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.9, 1.1, 4.0)])
def test_a_tilted_head_is_turned_upright_and_its_map_comes_back(spacing: tuple[float, float, float]) -> None:
    scan = make_volume((50, 60, 20), np.diag([-spacing[0], *spacing[1:], 1.0]))
    on = make_settings(align=True)

    scored = score_volume(scan, darken, make_manifest(), settings=on, find_pose=lying(TURN))
    plain = score_volume(scan, darken, make_manifest())

    record = scored.preparation
    assert (record.aligned, record.own_slices, len(record.interpolated)) == (True, False, 3)
    assert record.model_spacing_mm == pytest.approx((1, 1, 1))
    axes = np.array(record.model_affine)[:3, :3]
    np.testing.assert_allclose(np.abs(np.linalg.inv(TURN) @ axes), np.eye(3), atol=1e-6)
    assert record.tilt_deg is not None
    assert record.tilt_deg.pitch == pytest.approx(30)
    found = scored.anomaly_map
    assert np.isfinite(found.voxels).all()
    assert not found.voxels[~scored.brain_mask].any()
    assert not scored.brain_mask[scan.voxels == 0].any()
    assert np.mean(scored.brain_mask[scan.voxels > 0]) > 0.98
    both = scored.brain_mask & plain.brain_mask
    assert np.corrcoef(found.voxels[both], plain.anomaly_map.voxels[both])[0, 1] > 0.9


@given(turns=st.tuples(*[st.floats(-60, 60)] * 3), value=st.floats(0.01, 0.9))
def test_a_map_that_is_constant_upright_is_constant_on_the_scan(
    turns: tuple[float, float, float], value: float
) -> None:
    turn = Rotation.from_euler("xyz", turns, degrees=True).as_matrix()
    manifest = make_manifest(grid=Grid(max_tilt_deg=0))

    scored = score_volume(
        make_volume((24, 26, 22)),
        lambda x, severity: x - np.float32(value),
        manifest,
        settings=make_settings(align=True),
        find_pose=lying(turn),
    )

    np.testing.assert_allclose(scored.anomaly_map.voxels[scored.brain_mask], value, rtol=1e-3)
    assert not scored.anomaly_map.voxels[~scored.brain_mask].any()
    assert np.isfinite(scored.restored.voxels).all()


@pytest.mark.parametrize(
    ("align", "turn", "overlap"),
    [
        (True, Rotation.from_euler("x", 14, degrees=True).as_matrix(), 1.0),  # not further than in training
        (False, TURN, 1.0),
        (True, TURN, 0.1),  # no brain of which it could be told
    ],
)
def test_a_head_that_need_not_be_turned_is_not_interpolated(align: bool, turn: Turn, overlap: float) -> None:
    scan = make_volume()

    scored = score_volume(
        scan, smooth, make_manifest(), settings=make_settings(align=align), find_pose=lying(turn, overlap)
    )

    expected = score_volume(scan, smooth, make_manifest())
    np.testing.assert_array_equal(scored.anomaly_map.voxels, expected.anomaly_map.voxels)
    assert not scored.preparation.aligned
    assert (scored.preparation.tilt_deg is None) == (overlap < 0.5)
    assert "measuring-tilt" in scored.timings_s


def test_a_mask_that_is_larger_than_any_brain_has_no_tilt() -> None:
    scan = make_volume(affine=np.diag([4.0, 4.0, 4.0, 1.0]))
    everything = np.ones(scan.shape, dtype=bool)

    scored = score_volume(scan, darken, make_manifest(), brain_mask=everything, find_pose=lying(TURN))

    assert scored.preparation.tilt_deg is None


@pytest.mark.parametrize("step", ["bias_correction", "align"])
def test_a_step_that_nothing_was_given_for_is_refused(step: str) -> None:
    with pytest.raises(Misconfigured, match=step):
        score_volume(make_volume(), darken, make_manifest(), settings=make_settings(**{step: True}))


def test_a_mask_with_nothing_in_it_is_refused_before_anything_is_measured() -> None:
    volume = make_volume()

    with pytest.raises(EmptyImage, match="empty"):
        score_volume(
            volume,
            darken,
            make_manifest(),
            brain_mask=np.zeros(volume.shape, dtype=bool),
            find_pose=lying(TURN),
        )
