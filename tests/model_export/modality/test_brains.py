"""Greys with which brains are painted."""

import numpy as np

from model_export.modality.brains import spin_echo_greys


def test_a_spin_echo_shows_white_matter_a_little_brighter_than_grey_and_fluid_dark() -> None:
    rng = np.random.default_rng(0)
    drawn = [spin_echo_greys(rng) for _ in range(200)]

    ratios = [greys["grey"] / greys["white"] for greys in drawn]
    assert 0.8 < np.median(ratios) < 0.92
    assert 0.65 < min(ratios) < max(ratios) < 1.05
    assert all(0.2 < greys["fluid"] < 0.5 for greys in drawn)
