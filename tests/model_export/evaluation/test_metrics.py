"""Metrics, against scikit-learn and against the definitions."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from disyre.errors import InvalidInput
from model_export.evaluation.bootstrap import mean_interval, pooled_intervals
from model_export.evaluation.metrics import (
    Labels,
    Scores,
    Separation,
    auroc,
    curve,
    reference_dice,
    separate,
    separate_as_reference,
)

EXACT = 1e-9


@st.composite
def labelled(draw: st.DrawFn) -> tuple[Scores, Labels]:
    """Scores with labels of both kinds; few levels, so that many are tied."""
    n = draw(st.integers(2, 60))
    levels = draw(st.integers(1, 12))
    scores = draw(st.lists(st.integers(0, levels), min_size=n, max_size=n))
    labels = draw(st.lists(st.booleans(), min_size=n - 2, max_size=n - 2))
    return np.array(scores, dtype=np.float32) / 7, np.array([True, False, *labels])


def best_dice_of_sklearn(scores: Scores, labels: Labels) -> float:
    precision, recall, _ = precision_recall_curve(labels, scores)
    with np.errstate(invalid="ignore"):
        return float(np.nanmax(2 * precision * recall / (precision + recall)))


@given(labelled())
def test_metrics_are_those_of_scikit_learn(sample: tuple[Scores, Labels]) -> None:
    scores, labels = sample
    separation = Separation.of(scores, labels)
    found = curve([separation])
    assert abs(found.average_precision - average_precision_score(labels, scores)) < EXACT
    assert abs(found.best_dice - best_dice_of_sklearn(scores, labels)) < EXACT
    assert abs(auroc(separation) - roc_auc_score(labels, scores)) < EXACT


@given(st.lists(labelled(), min_size=1, max_size=5))
def test_cases_together_are_as_one_case_with_all_voxels(samples: list[tuple[Scores, Labels]]) -> None:
    together = curve([Separation.of(*sample) for sample in samples])
    scores, labels = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    assert abs(together.average_precision - average_precision_score(labels, scores)) < EXACT
    assert abs(together.best_dice - best_dice_of_sklearn(scores, labels)) < EXACT


def test_metrics_of_many_voxels_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.random(300_000) < 0.01
    scores = np.abs(rng.normal(labels * 1.5, 1)).astype(np.float32)
    separation = Separation.of(scores, labels)
    assert abs(curve([separation]).average_precision - average_precision_score(labels, scores)) < EXACT
    assert abs(curve([separation]).best_dice - best_dice_of_sklearn(scores, labels)) < EXACT
    assert abs(auroc(separation) - roc_auc_score(labels, scores)) < EXACT


@given(labelled())
def test_only_the_order_of_scores_matters(sample: tuple[Scores, Labels]) -> None:
    scores, labels = sample
    one, other = (Separation.of(s, labels) for s in (scores, np.exp(scores)))
    assert curve([one]).average_precision == pytest.approx(curve([other]).average_precision)
    assert auroc(one) == pytest.approx(auroc(other))


def test_the_best_threshold_gives_the_best_dice() -> None:
    rng = np.random.default_rng(1)
    labels = rng.random(2000) < 0.1
    scores = rng.normal(labels, 1).astype(np.float32)
    found = curve([Separation.of(scores, labels)])
    above = scores >= found.best_threshold
    assert 2 * (above & labels).sum() / (above.sum() + labels.sum()) == pytest.approx(found.best_dice)


def test_scores_that_are_kept_in_files_give_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    labels = rng.random(50_000) < 0.01
    separation = Separation.of(rng.normal(labels, 1).astype(np.float32), labels)
    kept = separation.kept(tmp_path / "case")
    assert curve([kept]).average_precision == curve([separation]).average_precision


def test_without_a_lesion_there_is_no_curve_and_no_auroc() -> None:
    healthy = Separation.of(np.ones(4, dtype=np.float32), np.zeros(4, dtype=np.bool_))
    assert np.isnan(auroc(healthy))
    with pytest.raises(InvalidInput, match="lesion"):
        curve([healthy])


def test_lesion_outside_the_brain_mask_counts_as_missed() -> None:
    brain = np.zeros((4, 4, 4), dtype=np.bool_)
    brain[1:3] = True
    lesion = np.zeros_like(brain)
    lesion[0, 0, 0] = lesion[1, 0, 0] = True
    anomaly_map = np.where(lesion & brain, 1, 0).astype(np.float32)
    separation = separate(anomaly_map, lesion, brain)
    assert separation.lesion.tolist() == [0.0, 1.0]
    assert separation.healthy.size == brain.sum() - 1


def test_the_reference_protocol_draws_ten_thousand_voxels_of_the_brains_box() -> None:
    rng = np.random.default_rng(3)
    brain = np.zeros((40, 40, 40), dtype=np.bool_)
    brain[5:35, 5:35, 5:35] = True
    lesion = np.zeros_like(brain)
    lesion[10:16, 10:16, 10:16] = True
    anomaly_map = np.where(lesion, 0.2, 0.1).astype(np.float32) * brain
    separation = separate_as_reference(anomaly_map, lesion, brain, rng)
    assert separation.lesion.size + separation.healthy.size == 10_000
    assert separation.lesion.size / 10_000 == pytest.approx(216 / 27_000, rel=0.3)
    assert separation.healthy.min() > 0  # nothing outside the box


def test_the_reference_dice_is_found_on_200_thresholds_that_end_at_1() -> None:
    """Scores that lie between two neighbours of the 200 cannot be told apart by them."""
    step = 1 / 199
    scores = np.array([0.0, 10.2 * step, 10.6 * step, 10.6 * step], dtype=np.float32)
    labels = np.array([False, False, True, True])
    separation = Separation.of(scores, labels)
    assert curve([separation]).best_dice == 1.0
    assert reference_dice([separation]) == pytest.approx(2 * 2 / (2 + 3))


def make_cases(n: int) -> list[Separation]:
    """Some easy, some hard."""
    rng = np.random.default_rng(4)
    labels = [rng.random(3000) < 0.05 for _ in range(n)]
    ease = rng.uniform(0.5, 3, n)
    return [
        Separation.of(rng.normal(one * e, 1).astype(np.float32), one)
        for one, e in zip(labels, ease, strict=True)
    ]


def test_an_interval_holds_the_figure_and_narrows_with_more_cases() -> None:
    widths = []
    for n in (8, 64):
        separations = make_cases(n)
        found, intervals = curve(separations), pooled_intervals(separations, n_draws=300)
        for value, (low, high) in (
            (found.average_precision, intervals.average_precision),
            (found.best_dice, intervals.best_dice),
        ):
            assert low < value < high
        widths.append(intervals.average_precision[1] - intervals.average_precision[0])
    assert widths[1] < widths[0]


def test_the_interval_of_one_repeated_case_has_no_width() -> None:
    rng = np.random.default_rng(5)
    labels = rng.random(3000) < 0.05
    case = Separation.of(rng.normal(labels * 2, 1).astype(np.float32), labels)
    exact = curve([case] * 5).average_precision
    low, high = pooled_intervals([case] * 5, n_draws=50).average_precision
    assert low == pytest.approx(high)
    assert low == pytest.approx(exact, abs=0.0002)


def test_one_case_alone_has_no_interval() -> None:
    [case] = make_cases(1)

    intervals = pooled_intervals([case], n_draws=20)

    assert np.isnan([*intervals.average_precision, *intervals.best_dice]).all()
    mean = mean_interval([0.3], n_draws=20)
    assert mean.value == pytest.approx(0.3)
    assert np.isnan([mean.low, mean.high]).all()


def test_the_interval_of_a_mean_leaves_out_what_is_not_known() -> None:
    interval = mean_interval([0.2, 0.4, float("nan")], n_draws=100)
    assert interval.value == pytest.approx(0.3)
    assert 0.2 <= interval.low <= interval.high <= 0.4
    assert np.isnan(mean_interval([], n_draws=10).value)
