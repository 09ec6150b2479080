import pytest
import torch

from disyre.intensity import BRAIN_FLOOR
from disyre.modality import MODALITIES, Modality
from model_export.contrast import (
    CONTRASTS,
    FLUID,
    GREY,
    MIXED,
    WHITE,
    draw_greys,
    draw_label_palettes,
    draw_scan_palettes,
    look_up,
    paint,
)

ORDER: dict[Modality, list[int]] = {
    "T1w": [FLUID, GREY, WHITE],
    "T2w": [WHITE, GREY, FLUID],
    "FLAIR": [FLUID, WHITE, GREY],
}
"""Tissues from the darkest to the brightest, in nearly every image of a modality."""


@pytest.mark.parametrize("modality", MODALITIES)
def test_tissues_are_as_bright_beside_each_other_as_in_the_modality(
    modality: Modality, generator: torch.Generator
) -> None:
    greys = draw_greys(1000, CONTRASTS[modality], generator)[:, ORDER[modality]]

    assert (greys.diff(dim=1) > 0).all(dim=1).float().mean() > 0.8
    low, high = CONTRASTS[modality].top
    assert greys.amax() <= high + 1e-6
    assert greys.amax(dim=1).min() >= low - 1e-6


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_recoloured_scan_has_the_greys_of_its_tissues_at_their_codes(
    modality: Modality, generator: torch.Generator
) -> None:
    anchors = torch.tensor([[40.0, 140.0, 210.0]]).expand(200, 3)

    palettes = draw_scan_palettes(anchors, CONTRASTS[modality], generator)

    at_tissues = palettes[:, [40, 140, 210]][:, ORDER[modality]]
    assert (at_tissues.diff(dim=1) > 0).all(dim=1).float().mean() > 0.8
    halfway = palettes[:, 90]
    torch.testing.assert_close(halfway, palettes[:, [40, 140]].mean(dim=1))


def test_what_is_mixed_lies_between_grey_and_white_matter(generator: torch.Generator) -> None:
    tissues = torch.tensor([FLUID, GREY, WHITE, MIXED])

    palettes = draw_label_palettes(500, tissues, CONTRASTS["T1w"], generator)

    grey, white, mixed = palettes[:, 1], palettes[:, 2], palettes[:, 3]
    between = (mixed > grey - 0.1) & (mixed < white + 0.1)
    assert between.float().mean() > 0.97


def test_background_stays_exactly_0_and_the_brain_above_it(generator: torch.Generator) -> None:
    coded = torch.randint(0, 4, (6, 64, 96), dtype=torch.uint8)

    painted = paint(coded, torch.tensor([FLUID, FLUID, GREY, WHITE]), CONTRASTS["FLAIR"], generator)
    recoloured = look_up(coded, torch.full((6, 256), -1.0))

    for image in (painted, recoloured):
        assert torch.equal(image > 0, coded > 0)
        assert image[coded > 0].min() >= BRAIN_FLOOR
        assert image.max() <= 1
