"""What models are compared with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_export.evaluation.autoencoder import Autoencoder, autoencoder_method, residual, train
from model_export.evaluation.baselines import baselines, equalised_intensity, median_residual
from model_export.evaluation.cases import Case
from model_export.phantom import make_phantom


def with_ball(seed: int = 1, *, value: float) -> Case:
    """A phantom with a ball of one intensity in its white matter."""
    case = Case.healthy(make_phantom(seed))
    i, j, k = np.ogrid[:112, :136, :40]
    ball = (i - 80) ** 2 + (j - 60) ** 2 + (k - 20) ** 2 < 5**2
    voxels = np.where(ball, np.float32(value), case.volume.voxels)
    return replace(case, volume=case.volume.with_voxels(voxels), lesion=ball)


def test_equalised_intensity_is_the_rank_in_the_brain() -> None:
    case = Case.healthy(make_phantom(1))
    bright, dark = (equalised_intensity(modality)(case) for modality in ("FLAIR", "T1w"))
    values = case.volume.voxels[case.brain_mask]
    order = np.argsort(values)
    assert (np.diff(bright[case.brain_mask][order]) >= 0).all()
    assert (np.diff(dark[case.brain_mask][order]) <= 0).all()
    for found in (bright, dark):
        assert (found[~case.brain_mask] == 0).all()
        assert 0 < found[case.brain_mask].min() < found[case.brain_mask].max() <= 1
        assert np.median(found[case.brain_mask]) == pytest.approx(0.5, abs=0.01)


def test_equalised_intensity_does_not_depend_on_scale() -> None:
    case = Case.healthy(make_phantom(1))
    louder = replace(case, volume=case.volume.with_voxels(case.volume.voxels * np.float32(8)))
    method = equalised_intensity("T2w")
    np.testing.assert_array_equal(method(case), method(louder))


def test_the_median_residual_finds_a_small_ball() -> None:
    case = with_ball(value=30.0)
    found = median_residual(case)
    assert (found[~case.brain_mask] == 0).all()
    assert found[case.lesion].mean() > 4 * found[case.brain_mask & ~case.lesion].mean()


def test_the_autoencoder_learns_and_finds_what_it_has_not_seen() -> None:
    network, scans = Autoencoder(), [make_phantom(seed) for seed in (1, 2, 3)]
    early = train(Autoencoder(), scans, steps=3)
    late = train(network, scans, steps=40)
    case = with_ball(5, value=30.0)
    found = residual(network, case)
    assert late < early / 2
    assert (found[~case.brain_mask] == 0).all()
    assert found[case.lesion].mean() > found[case.brain_mask & ~case.lesion].mean()


def test_the_autoencoder_is_trained_once_for_the_same_scans(tmp_path: Path) -> None:
    kept, case = tmp_path / "autoencoder.pt", Case.healthy(make_phantom(4))
    first = autoencoder_method([make_phantom(1)], kept, steps=2).map_of(case)
    written = kept.stat().st_mtime_ns
    again = autoencoder_method([make_phantom(1)], kept, steps=2).map_of(case)
    assert kept.stat().st_mtime_ns == written
    np.testing.assert_array_equal(first, again)

    autoencoder_method([make_phantom(2)], kept, steps=2)

    assert kept.stat().st_mtime_ns != written


def test_every_baseline_has_a_name_and_no_threshold_of_its_own() -> None:
    assert len({method.name for method in baselines("T1w")}) == 2
    assert all(method.threshold is None for method in baselines("FLAIR"))
