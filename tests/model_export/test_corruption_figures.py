"""Anomalies of the papers' configs, against figures measured on the reference implementation.

All on the T1w template that nilearn ships. docs/training.md has the figures side by side.
"""

import math

import pytest
import torch

from benchmarks.corruption_figures import PUBLISHED, Figures, Outline, measure, perimeter

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def figures() -> Figures:
    """Of 1,152 patches of each kind and 2,000 blobs."""
    return measure(12, seed=1)


def _near(figures: Figures, what: str, *, within: float) -> bool:
    """Whether each figure is no further from the published one than this."""
    name = next(name for name in PUBLISHED if name.startswith(what))
    return figures[name] == pytest.approx(PUBLISHED[name], abs=within)


def _near_in_ratio(figures: Figures, what: str, *, within: float) -> bool:
    name = next(name for name in PUBLISHED if name.startswith(what))
    return figures[name] == pytest.approx(PUBLISHED[name], rel=within)


def test_masks_of_each_family_are_as_large_as_the_references(figures: Figures) -> None:
    assert _near(figures, "area of rectangles", within=0.025)
    assert _near(figures, "area of discs", within=0.01)
    assert _near(figures, "area of blobs", within=0.03)


def test_as_many_masks_have_a_hard_edge_and_small_ones_fade_as_much(figures: Figures) -> None:
    assert _near(figures, "masks with a hard edge", within=0.02)
    assert _near(figures, "peak of discs", within=0.04)


def test_blobs_have_the_outlines_of_the_references_shapes(figures: Figures) -> None:
    assert _near_in_ratio(figures, "whole blobs: area", within=0.07)
    assert _near_in_ratio(figures, "whole blobs: extent", within=0.1)
    assert _near(figures, "whole blobs: solidity", within=0.02)
    assert _near(figures, "whole blobs: eccentricity", within=0.05)
    assert _near_in_ratio(figures, "whole blobs: perimeter", within=0.1)
    assert _near(figures, "whole blobs: in one piece", within=0.05)
    assert _near(figures, "whole blobs: centre", within=0.3)
    assert _near(figures, "blobs cut off", within=0.05)


def test_masks_cover_as_much_of_a_patch(figures: Figures) -> None:
    assert _near(figures, "mask's share", within=0.01)


def test_as_many_pixels_of_a_patch_change(figures: Figures) -> None:
    assert _near(figures, "DAG: pixels changed", within=0.007)
    assert _near(figures, "FPI: pixels changed", within=0.007)


def test_severities_are_distributed_as_the_references(figures: Figures) -> None:
    assert _near(figures, "DAG: severity of the bias", within=0.035)
    assert _near(figures, "DAG: severity", within=0.035)


def test_the_network_is_told_the_conditions_that_the_references_is(figures: Figures) -> None:
    assert _near(figures, "DAG: condition", within=2)
    assert _near(figures, "FPI: condition", within=2)


def test_changes_are_as_large_as_the_severity_says_or_as_much_smaller(figures: Figures) -> None:
    assert _near(figures, "DAG: largest change", within=0.02)
    assert _near(figures, "FPI: largest change", within=0.02)


def test_doing_nothing_costs_what_it_costs_with_the_reference(figures: Figures) -> None:
    assert _near_in_ratio(figures, "DAG: squared error", within=0.2)  # why it is 0.0015 less is not known
    assert _near_in_ratio(figures, "FPI: squared error", within=0.1)


def test_the_yardstick_for_outlines_is_right_about_a_disc_and_a_square() -> None:
    i, j = torch.meshgrid(torch.arange(96) - 47.5, torch.arange(96) - 47.5, indexing="ij")
    disc = Outline.of(((i**2 + j**2) < 30**2).numpy())
    square = ((i.abs() < 20) & (j.abs() < 10)).numpy()
    both = Outline.of(((i.abs() > 25) & (i.abs() < 35) & (j.abs() < 5)).numpy())

    assert disc.area == pytest.approx(math.pi * 30**2, rel=0.01)
    assert disc.eccentricity == pytest.approx(0, abs=0.02)
    assert disc.solidity > 0.97
    assert disc.compactness == pytest.approx(1.1, abs=0.02)  # 1.05 too long, as on any grid of pixels
    assert perimeter(square) == 2 * (39 + 19)
    assert Outline.of(square).eccentricity == pytest.approx(math.sqrt(1 - (20 / 40) ** 2), abs=0.001)
    assert (both.pieces, both.extent) == (2, 70)
    assert both.solidity == pytest.approx(20 / 70, abs=0.02)
