from dataclasses import replace

import pytest
import torch

from disyre.modality import Modality
from model_export.config import AugmentationConfig, TrainingConfig
from model_export.contrast import FLUID, GREY, WHITE
from model_export.dataset import SliceBank
from model_export.label_slices import LabelSlices
from model_export.training_set import TrainingSet, recoloured

PLAIN = AugmentationConfig(
    p_spatial=0, p_mirror=0, p_brightness=0, p_gamma=0, p_shading=0, p_noise=0, p_blur=0
)


@pytest.fixture
def config(smoke_config: TrainingConfig) -> TrainingConfig:
    return replace(smoke_config, augmentation=PLAIN, batch_size=8, patch_px=96)


@pytest.fixture
def labels() -> LabelSlices:
    """Label maps in a frame that is wider than that of the scans one way and tighter the other."""
    coded = torch.randint(1, 4, (10, 224, 96), dtype=torch.uint8)
    return LabelSlices(coded, torch.ones_like(coded), torch.tensor([FLUID, FLUID, GREY, WHITE]))


def test_the_share_of_painted_patches_is_that_of_the_config(
    config: TrainingConfig, bank: SliceBank, labels: LabelSlices, generator: torch.Generator
) -> None:
    known = TrainingSet.of(bank, labels)

    patches, inside = known.draw(replace(config, p_painted=0.25), generator)

    assert patches.shape == inside.shape == (8, 1, 96, 96)
    assert torch.equal(patches > 0, inside)
    assert known.labels is not None
    assert known.bank.coded.shape[1:] == known.labels.coded.shape[1:]


def test_a_share_of_the_patches_is_of_scans_of_the_modality_itself_as_they_are(
    config: TrainingConfig, bank: SliceBank, labels: LabelSlices, generator: torch.Generator
) -> None:
    flat = SliceBank(torch.full((3, 224, 256), 77, dtype=torch.uint8), ("own",), (3,))
    known = TrainingSet.of(bank, labels, flat)
    wanted = replace(config, modality="T2w", scans_of="T1w", p_painted=0.25, p_own=0.375, patch_px=64)

    patches, inside = known.draw(wanted, generator)

    is_own = [
        bool(brain.any()) and bool((patch[brain] - 77 / 255).abs().max() < 1e-4)
        for patch, brain in zip(patches, inside, strict=True)
    ]
    assert sum(is_own) == 3
    assert torch.equal(patches > 0, inside)


def test_scans_of_the_modality_are_taken_as_they_are_and_others_are_recoloured(
    config: TrainingConfig, bank: SliceBank
) -> None:
    known = TrainingSet.of(bank)

    def draw(modality: Modality) -> torch.Tensor:
        wanted = replace(config, modality=modality, scans_of="T1w")
        return known.draw(wanted, torch.Generator().manual_seed(1))[0]

    as_they_are = draw("T1w")
    torch.testing.assert_close((as_they_are * 255).round() / 255, as_they_are, rtol=0, atol=1e-5)
    assert not torch.equal(draw("FLAIR"), as_they_are)


def test_a_recoloured_scan_has_one_curve_for_all_of_its_slices(bank: SliceBank) -> None:
    changed = recoloured(bank, "T2w", seed=3)

    first = bank.n_slices[0]
    for code in (60, 120, 200):
        greys = changed.coded[:first][bank.coded[:first] == code]
        assert (greys == greys[0]).all() if len(greys) else True
    assert torch.equal(changed.coded > 0, bank.coded > 0)
