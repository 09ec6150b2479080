"""A scan is scored without its shading, and upright."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from disyre.bias_field import BiasField
from disyre.errors import EmptyImage, Misconfigured
from disyre.model_manifest import Grid
from disyre.pipeline import score_volume
from disyre.tilt import FindPose, Pose, Turn
from disyre.types import Mask, Voxels
from disyre.volume import Volume
from tests.builders import make_manifest, make_settings, make_volume
from tests.disyre.one_line_restorers import darken, smooth


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


def test_what_seems_swapped_in_the_header_is_recorded_and_nothing_is_turned() -> None:
    fits = iter([0.89, 0.95, 0.5, 0.5])

    scored = score_volume(
        make_volume(),
        smooth,
        make_manifest(),
        settings=make_settings(align=True),
        find_pose=lambda brain, spacing_mm: Pose(TURN, next(fits)),
    )

    record = scored.preparation
    assert (record.swapped, record.tilt_deg, record.aligned) == ("up and down", None, False)


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
