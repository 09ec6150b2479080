import torch

from model_export.config import LesionConfig
from model_export.lesions import Outline, add_lesions, draw_outlines
from model_export.shapes import draw_noise

PLAIN = LesionConfig(p_selective=0, p_additive=0, p_core=0, p_scattered=0, texture=0)


def _grey(n: int = 64, edge: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    """Even grey, brain everywhere."""
    return torch.full((n, edge, edge), 0.5), torch.ones(n, edge, edge, dtype=torch.bool)


def test_a_lesion_is_where_its_outline_is_and_nothing_changes_far_from_it(generator: torch.Generator) -> None:
    x, inside = _grey()

    y = add_lesions(x, inside, PLAIN, generator)

    changed = ((y - x).abs() > 0.02).flatten(1).float().mean(dim=1)
    assert (changed > 0).float().mean() > 0.9
    assert changed.median() < 0.2
    assert changed.quantile(0.95) > 0.15  # some are large


def test_lesions_are_as_often_dark_as_the_config_says(generator: torch.Generator) -> None:
    x, inside = _grey(400, 64)

    y = add_lesions(x, inside, LesionConfig(p_dark=0.8, p_core=0, p_additive=0, texture=0), generator)

    darker = (y - x).flatten(1).mean(dim=1) < 0
    assert 0.7 < darker.float().mean() < 0.9


def test_a_lesion_lies_around_a_brain_pixel(generator: torch.Generator) -> None:
    _, inside = _grey(40)
    inside[:] = False
    inside[:, 30:34, 90:94] = True

    level = draw_outlines(inside, LesionConfig(p_scattered=0, elongation=1.0), generator).level

    highest = level.flatten(1).argmax(dim=1)
    i, j = highest // 128, highest % 128
    far = torch.hypot(i - 32.0, j - 92.0)
    assert far.median() < 25


def test_a_higher_level_is_further_inside(generator: torch.Generator) -> None:
    _, inside = _grey(8)

    outline = draw_outlines(inside, LesionConfig(), generator)

    assert (outline.mask(0.4) <= outline.mask()).all()
    assert isinstance(outline, Outline)
    assert outline.mask().min() >= 0
    assert outline.mask().max() <= 1


def test_noise_is_of_about_unit_spread_and_smooth(generator: torch.Generator) -> None:
    noise = draw_noise(40, 96, 128, generator)

    steps = noise.diff(dim=2).square().mean().sqrt()
    assert 0.6 < noise.std() < 1.4
    assert steps < 0.5 * noise.std()


def test_a_patch_without_brain_is_no_problem(generator: torch.Generator) -> None:
    x, inside = _grey(4)

    assert add_lesions(x * 0, inside & False, LesionConfig(), generator).isfinite().all()
