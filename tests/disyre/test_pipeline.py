"""Scoring a scan from end to end, over restorers that are one line each."""

import numpy as np
import pytest

from disyre.course import Course
from disyre.errors import EmptyImage, JobCanceled, NotBrainMr, TooFewSlices, UnusableVolume
from disyre.model_manifest import Mode, Windows
from disyre.pipeline import ScoredVolume, score_volume
from disyre.presets import parity
from disyre.progress import Progress, Stage
from disyre.tilt import Pose
from disyre.types import Batch
from disyre.volume import Volume
from tests.builders import make_manifest, make_settings, make_volume
from tests.disyre.one_line_restorers import darken, smooth


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

    score_volume(make_volume(), darken, make_manifest(), batch_size=10, course=Course(seen.append))

    steps = [p for p in seen if p.stage == "restoring"]
    assert [p.fraction for p in seen] == sorted(p.fraction for p in seen)
    assert [p.step for p in steps] == list(range(steps[-1].steps + 1))
    assert seen[-1].fraction < 1


def test_a_scan_stops_at_the_network_call_at_which_it_is_canceled() -> None:
    def cancel(progress: Progress) -> None:
        if progress.step == 2:
            raise JobCanceled

    with pytest.raises(JobCanceled):
        score_volume(make_volume(), darken, make_manifest(), batch_size=1, course=Course(cancel))


@pytest.mark.parametrize("stage", ["measuring-tilt", "preparing", "scoring"])
def test_a_scan_can_be_canceled_between_the_steps_of_a_stage_that_calls_no_network(stage: Stage) -> None:
    seen: list[Stage] = []

    def cancel_later(progress: Progress) -> None:
        seen.append(progress.stage)
        if seen.count(stage) == 3:
            raise JobCanceled

    with pytest.raises(JobCanceled):
        score_volume(
            make_volume(affine=np.diag([0.5, 0.5, 0.5, 1.0])),
            darken,
            make_manifest(),
            find_pose=lambda brain, spacing_mm: Pose(np.eye(3), 1.0),
            course=Course(cancel_later),
        )

    assert seen[-3:] == [stage] * 3


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
