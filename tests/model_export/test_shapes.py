import numpy as np
import pytest
import torch
from scipy import ndimage

from model_export import shapes


@pytest.mark.parametrize(
    ("draw", "median_area"),
    [(shapes.rectangles, (0.10, 0.20)), (shapes.discs, (0.08, 0.18)), (shapes.blobs, (0.30, 0.55))],
)
def test_shapes_have_the_areas_that_are_documented(
    draw: shapes.Draw, median_area: tuple[float, float], generator: torch.Generator
) -> None:
    masks = draw(1000, generator)

    area = masks.mean(dim=(1, 2))
    assert set(masks.unique().tolist()) <= {0.0, 1.0}
    assert area.min() > 0
    assert median_area[0] < area.median() < median_area[1]


def test_blobs_are_mostly_in_one_piece_and_all_different(generator: torch.Generator) -> None:
    masks = shapes.blobs(200, generator)

    pieces = [ndimage.label(mask)[1] for mask in masks.numpy()]
    assert np.mean(np.equal(pieces, 1)) > 0.6
    assert len(masks.flatten(1).unique(dim=0)) > 190


def test_about_half_of_the_masks_keep_a_hard_edge(generator: torch.Generator) -> None:
    masks = shapes.draw_masks(torch.arange(900) % 3, generator)

    hard = ((masks < 1e-4) | (masks > 1 - 1e-4)).flatten(1).all(dim=1).float().mean()
    assert 0.36 < hard < 0.52
    assert masks.min() >= 0
    assert masks.max() <= 1 + 1e-5


def test_each_image_is_blurred_with_its_own_width(generator: torch.Generator) -> None:
    images = torch.rand(3, 64, 64, generator=generator)
    sigmas = [0.0, 1.0, 3.0]

    blurred = shapes.blur(images, torch.tensor(sigmas), radius=12)

    for image, sigma, result in zip(images.numpy(), sigmas, blurred.numpy(), strict=True):
        expected = ndimage.gaussian_filter(image, sigma, mode="nearest", radius=12) if sigma else image
        np.testing.assert_allclose(result, expected, atol=1e-5)


def test_a_soft_mask_ends_four_standard_deviations_from_the_hard_one() -> None:
    image = torch.zeros(4, 64, 64)
    image[:, 32, 32] = 1

    blurred = shapes.blur(image, torch.tensor([0.0, 1.0, 2.0, 4.0]), radius=16, tail_sigmas=4.0)

    reach = [int(row.nonzero().max()) - 32 for row in blurred[:, 32]]
    assert reach == [0, 4, 8, 16]


def test_the_same_seed_draws_the_same_masks() -> None:
    family = torch.arange(6) % 3

    once, again, other = (
        shapes.draw_masks(family, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )

    assert torch.equal(once, again)
    assert not torch.equal(once, other)
