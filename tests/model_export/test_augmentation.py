from dataclasses import replace

import pytest
import torch

from model_export.augmentation import vary_intensity, warp
from model_export.config import AugmentationConfig
from model_export.dataset import SliceBank

ALWAYS = AugmentationConfig(
    p_spatial=1.0, p_brightness=1.0, p_gamma=1.0, p_shading=1.0, p_noise=1.0, p_blur=1.0
)
NEVER = AugmentationConfig(
    p_spatial=0.0, p_mirror=0.0, p_brightness=0.0, p_gamma=0.0, p_shading=0.0, p_noise=0.0, p_blur=0.0
)


@pytest.fixture
def frames(bank: SliceBank) -> tuple[torch.Tensor, torch.Tensor]:
    return bank.frames(bank.evenly(12))


def test_background_stays_background_and_brain_stays_brain(
    frames: tuple[torch.Tensor, torch.Tensor], generator: torch.Generator
) -> None:
    warped, inside = warp(*frames, ALWAYS, generator)
    varied = vary_intensity(warped, inside, ALWAYS, generator)

    assert (warped[~inside] == 0).all()
    assert (varied[~inside] == 0).all()
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert (warped[inside] > 0).all()
    assert (varied[inside] > 0).all()


def test_warping_moves_every_slice_but_keeps_about_its_size(
    frames: tuple[torch.Tensor, torch.Tensor], generator: torch.Generator
) -> None:
    _, inside = warp(*frames, replace(ALWAYS, p_mirror=0.0), generator)

    share = inside.sum(dim=(1, 2, 3)) / frames[1].sum(dim=(1, 2, 3))
    assert (inside != frames[1]).flatten(1).any(dim=1).all()
    assert share.min() > 0.5
    assert share.max() < 1.7


def test_without_augmentation_a_slice_stays_what_it_is(
    frames: tuple[torch.Tensor, torch.Tensor], generator: torch.Generator
) -> None:
    warped, inside = warp(*frames, NEVER, generator)
    varied = vary_intensity(warped, inside, NEVER, generator)

    torch.testing.assert_close(varied, frames[0], atol=1e-6, rtol=0)


def test_mirroring_flips_slices_and_masks_alike(
    frames: tuple[torch.Tensor, torch.Tensor], generator: torch.Generator
) -> None:
    both_axes = replace(NEVER, p_mirror=1.0)

    warped, inside = warp(*frames, both_axes, generator)

    assert torch.equal(warped, frames[0].flip(-1, -2))
    assert torch.equal(inside, frames[1].flip(-1, -2))
