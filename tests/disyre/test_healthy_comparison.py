"""Where a scan stands among healthy ones."""

import pytest

from disyre.healthy_comparison import HealthyComparison
from disyre.model_manifest import Calibration, HealthyBrain


def calibration(n: int) -> Calibration:
    """n healthy brains with scores of 0.01, 0.02, ... and volumes of 1 mL, 2 mL, ..."""
    brains = [
        HealthyBrain(name=f"sub-{k}", anomaly_score=k / 100, above_threshold_ml=k) for k in range(1, n + 1)
    ]
    return Calibration(
        threshold=0.1,
        healthy_percentile=99.5,
        n_scans=n,
        false_positive_ml=(n + 1) / 2,
        healthy=tuple(brains),
    )


def test_brains_that_show_less_are_counted_by_score_and_by_volume() -> None:
    compared = HealthyComparison.of(0.035, 8.5, calibration(10))

    assert compared is not None
    assert (compared.n_brains, compared.n_with_lower_score, compared.n_with_less_volume) == (10, 3, 8)
    assert compared.false_positive_ml == 5.5


@pytest.mark.parametrize(
    ("n", "score", "words"),
    [
        (24, 0.235, "anomaly score above what 95 % of 24 healthy brains show"),
        (24, 0.9, "anomaly score above what 100 % of 24 healthy brains show"),
        (24, 0.205, "anomaly score above that of 20 of 24 healthy brains"),
        (4, 0.9, "anomaly score above that of 4 of 4 healthy brains"),
    ],
)
def test_a_percentage_is_said_only_where_there_are_brains_enough_for_it(
    n: int, score: float, words: str
) -> None:
    compared = HealthyComparison.of(score, 0.0, calibration(n))

    assert compared is not None
    assert compared.in_words.startswith(f"{words}; volume above the threshold")
    assert compared.in_words.endswith(f"which have {(n + 1) / 2:.3g} mL on average")


def test_of_one_healthy_brain_nothing_is_concluded() -> None:
    compared = HealthyComparison.of(0.9, 50.0, calibration(1))

    assert compared is not None
    assert compared.in_words == "not known: the threshold is from one healthy brain, with 1 mL above it"


def test_a_healthy_brain_is_not_above_itself_for_being_rounded() -> None:
    compared = HealthyComparison.of(0.0300001, 3.00002, calibration(10))

    assert compared is not None
    assert (compared.n_with_lower_score, compared.n_with_less_volume) == (2, 2)


def test_a_package_that_does_not_tell_of_each_brain_compares_with_none() -> None:
    old = Calibration(threshold=0.1, healthy_percentile=99.5, n_scans=4)
    assert HealthyComparison.of(0.5, 3.0, old) is None
