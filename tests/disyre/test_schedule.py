"""The severity table, against the figures that are published for it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disyre import schedule


@pytest.mark.parametrize(
    ("level", "severity"),
    [(0, 0.99950), (4, 0.98749), (24, 0.72658), (49, 0.27239), (74, 0.05078), (89, 0.01303), (99, 0.00452)],
)
def test_the_table_holds_the_published_severities(level: int, severity: float) -> None:
    assert schedule.SEVERITY_TABLE[level] == pytest.approx(severity, abs=1e-5)


@pytest.mark.parametrize(
    ("severity", "condition"),
    [(1, 0), (0.9, 13), (0.7, 25), (0.5, 36), (0.3, 47), (0.1, 65), (0.02, 85), (0, 99)],
)
def test_the_condition_is_the_nearest_entry(severity: float, condition: int) -> None:
    assert schedule.condition(severity) == condition


@given(level=st.integers(0, 99))
def test_a_severity_of_the_table_gives_its_own_condition_back(level: int) -> None:
    assert schedule.condition(float(schedule.SEVERITY_TABLE[level])) == level


@given(a=st.floats(0, 1), b=st.floats(0, 1))
def test_a_more_severe_image_never_has_a_higher_condition(a: float, b: float) -> None:
    assert schedule.condition(max(a, b)) <= schedule.condition(min(a, b))


@pytest.mark.parametrize("severity", [-0.1, 1.1, float("nan")])
def test_a_severity_lies_between_0_and_1(severity: float) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        schedule.condition(severity)


@pytest.mark.parametrize(
    ("steps", "levels"), [(1, [99]), (3, [99, 66, 32]), (4, [99, 74, 49, 24]), (5, [99, 79, 59, 39, 19])]
)
def test_steps_trail_from_the_most_severe_level(steps: int, levels: list[int]) -> None:
    assert schedule.trailing_levels(steps) == levels


def test_a_walk_shrinks_the_residual_by_the_published_ratios() -> None:
    severities = schedule.trailing_severities(4)

    ratios = [b / a for a, b in pairwise(severities)]
    assert ratios == pytest.approx([0.708, 0.365, 0.181], abs=1e-3)


@pytest.mark.parametrize("steps", [0, 101])
def test_a_walk_has_1_to_100_steps(steps: int) -> None:
    with pytest.raises(ValueError, match="steps"):
        schedule.trailing_levels(steps)
