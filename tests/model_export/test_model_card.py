"""What a card says of those who were seen in training."""

from dataclasses import replace

from disyre.model_package import TrainingData
from model_export.model_card import make_card
from tests.model_export.conftest import SmokeRun


def test_scans_of_the_modality_itself_are_told_beside_the_population(smoke_run: SmokeRun) -> None:
    folder, manifest = smoke_run.folder, smoke_run.package.manifest
    alone = folder.split()
    beside = replace(alone, own=TrainingData(name="patients", n_scans=2, licence="internal"))

    cards = [make_card(manifest, folder.config(), split, made="made") for split in (alone, beside)]

    seen = f"Seen in training: {folder.config().population}"
    assert f"{seen}. Other ages" in cards[0]
    assert f"{seen}; and what of 2 scans of its own is healthy. Other ages" in cards[1]
