from dataclasses import replace

import pytest
import torch

from model_export import parity_augmentation
from model_export.config import ParityAugmentationConfig, TrainingConfig
from model_export.dataset import SliceBank
from model_export.training_set import TrainingSet

PARITY = ParityAugmentationConfig(kind="parity")
NEVER = replace(
    PARITY, p_elastic=0, p_rotation=0, p_zoom=0, p_mirror=0, p_brightness=0, p_gamma=0, p_noise=0, p_blur=0
)
ALWAYS = replace(
    PARITY, p_elastic=1, p_rotation=1, p_zoom=1, p_mirror=1, p_brightness=1, p_gamma=1, p_noise=1, p_blur=1
)

Frames = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture
def frames(bank: SliceBank) -> Frames:
    return bank.frames(bank.evenly(24))


def _ball(n: int, radius_px: float) -> Frames:
    """Discs of one grey in frames of 160 x 192."""
    i, j = torch.meshgrid(torch.arange(160) - 79.5, torch.arange(192) - 95.5, indexing="ij")
    inside = (i**2 + j**2 < radius_px**2).expand(n, 1, -1, -1)
    return 0.5 * inside.float(), inside


def test_brain_stays_brain_and_background_stays_background(
    frames: Frames, generator: torch.Generator
) -> None:
    patches, inside = parity_augmentation.augment(*frames, 96, ALWAYS, generator)

    assert patches.shape == inside.shape == (24, 1, 96, 96)
    assert torch.equal(patches > 0, inside)
    assert patches.max() <= 1


def test_without_augmentation_a_patch_is_a_piece_of_the_box_around_the_brain(
    generator: torch.Generator,
) -> None:
    inside = torch.zeros(2000, 1, 160, 192, dtype=torch.bool)
    inside[:, :, 20:121, 40:137] = True
    places = torch.arange(160 * 192.0).reshape(1, 1, 160, 192).expand(2000, -1, -1, -1) / (160 * 192)

    patches, _ = parity_augmentation.augment(places * inside, inside, 96, NEVER, generator)

    first = (patches[:, 0, 0, 0] * (160 * 192)).round().long()
    assert sorted((first // 192).unique().tolist()) == list(range(20, 26))
    assert sorted((first % 192).unique().tolist()) == [40, 41]
    torch.testing.assert_close(patches[0, 0, 5:, 7:], patches[0, 0, :-5, :-7] + (5 * 192 + 7) / (160 * 192))


def test_a_brain_that_is_smaller_than_a_patch_lies_in_its_middle(generator: torch.Generator) -> None:
    patches, inside = parity_augmentation.augment(*_ball(3, 30), 128, NEVER, generator)

    assert torch.equal(inside, inside.flip(-1, -2))
    assert torch.equal(inside, _ball(3, 30)[1][:, :, 16:144, 32:160])
    torch.testing.assert_close(patches, 0.5 * inside)


def test_as_many_patches_are_warped_as_the_probabilities_say(generator: torch.Generator) -> None:
    _, inside = parity_augmentation.cut_patches(*_ball(1500, 40.2), 128, PARITY, generator)

    as_it_was = (inside == _ball(1, 40.2)[1][:, :, 16:144, 32:160]).flatten(1).all(dim=1)
    assert float(as_it_was.float().mean()) == pytest.approx(0.9**3, abs=0.03)


def test_half_of_the_zooms_make_larger_and_half_make_smaller(generator: torch.Generator) -> None:
    config = replace(NEVER, p_zoom=1.0)

    _, inside = parity_augmentation.cut_patches(*_ball(600, 40), 128, config, generator)

    factor = (3.14159 * 40**2 / inside.sum(dim=(1, 2, 3))).sqrt()
    smaller, larger = (float(side.float().mean()) for side in (factor < 0.99, factor > 1.01))
    assert smaller == pytest.approx(larger, abs=0.08)
    assert float(factor.min()) == pytest.approx(0.75, abs=0.01)
    assert float(factor.max()) == pytest.approx(1.25, abs=0.02)
    assert float(factor[factor < 1].median()) == pytest.approx(0.875, abs=0.015)
    assert float(factor[factor > 1].median()) == pytest.approx(1.125, abs=0.015)


def test_a_patch_is_turned_around_its_own_middle_by_up_to_15_degrees(generator: torch.Generator) -> None:
    inside = torch.ones(500, 1, 160, 192, dtype=torch.bool)
    ramp = (torch.arange(160)[:, None] + 2.0 * torch.arange(192)[None]).expand(500, 1, -1, -1) / 600
    config = replace(NEVER, p_rotation=1.0)

    patches, _ = parity_augmentation.cut_patches(ramp, inside, 96, config, generator)

    middle = patches[:, 0, 47:49, 47:49].mean(dim=(1, 2)) * 600
    by_i, by_j = ((patches[:, 0, i, j] - patches[:, 0, 40, 40]) * 600 / 16 for i, j in ((56, 40), (40, 56)))
    degrees = torch.rad2deg(torch.atan2(by_j, by_i) - torch.atan2(torch.tensor(2.0), torch.tensor(1.0)))
    torch.testing.assert_close(torch.hypot(by_i, by_j), torch.full((500,), 5**0.5), atol=2e-2, rtol=0)
    torch.testing.assert_close(middle * 2, (middle * 2).round(), atol=5e-2, rtol=0)  # between whole pixels
    assert float(degrees.abs().max()) == pytest.approx(15, abs=0.3)
    assert float(degrees.mean()) == pytest.approx(0, abs=1.2)


def test_displacements_are_smooth_and_their_peak_is_a_share_of_their_smoothness(
    generator: torch.Generator,
) -> None:
    config = replace(PARITY, elastic_peak=(0.25, 0.25))

    field = parity_augmentation.draw_displacements(400, 96, config, generator)

    peak_px = field.abs().amax(dim=(2, 3))
    assert float(peak_px.max()) == pytest.approx(0.25 * 0.25 * 96, rel=0.02)
    assert float(peak_px.mean()) == pytest.approx(0.25 * 0.125 * 96, rel=0.1)
    torch.testing.assert_close(peak_px[:, 0], peak_px[:, 1])
    step = field.diff(dim=-1).abs().amax(dim=(2, 3))
    wide = peak_px > 2  # smooth over more than 8 px
    assert (step[wide] < 0.3 * peak_px[wide]).all()


def test_gamma_keeps_the_darkest_and_the_brightest_pixel(frames: Frames, generator: torch.Generator) -> None:
    dim = 0.6 * frames[0]
    config = replace(NEVER, p_gamma=1.0)

    varied = parity_augmentation.vary_intensity(dim, frames[1], config, generator)

    torch.testing.assert_close(varied.amax(dim=(1, 2, 3)), dim.amax(dim=(1, 2, 3)))
    assert ((varied - dim).abs() > 0.01).flatten(1).any(dim=1).float().mean() > 0.9


def test_a_run_with_the_references_augmentation_draws_such_patches(
    bank: SliceBank, generator: torch.Generator
) -> None:
    config = replace(TrainingConfig.read("paper"), batch_size=6)

    patches, inside = TrainingSet.of(bank).draw(config, generator)

    assert patches.shape == (6, 1, 128, 128)
    assert torch.equal(patches > 0, inside)
