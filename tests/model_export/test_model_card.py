"""What a card says of those who were seen in training."""

from dataclasses import replace

from disyre.model_manifest import TrainingData
from model_export.model_card import UNSTATED, make_card
from tests.model_export.conftest import SmokeRun


def test_a_licence_that_was_not_given_is_said_to_be_not_stated(smoke_run: SmokeRun) -> None:
    data = TrainingData(name="ours", n_scans=1, licence=UNSTATED)
    manifest = smoke_run.package.manifest.model_copy(update={"training_data": (data,)})

    card = make_card(manifest, smoke_run.folder.config(), smoke_run.folder.split(), made="made")

    assert "* ours: 1 scan, licence not stated\n" in card
    assert "docs/experiments.md" not in card


def test_scans_of_the_modality_itself_are_told_beside_the_population(smoke_run: SmokeRun) -> None:
    folder, manifest = smoke_run.folder, smoke_run.package.manifest
    alone = folder.split()
    beside = replace(alone, own=TrainingData(name="patients", n_scans=2, licence="internal"))

    cards = [make_card(manifest, folder.config(), split, made="made") for split in (alone, beside)]

    seen = f"Seen in training: {folder.config().population}"
    assert f"{seen}. Other ages" in cards[0]
    assert f"{seen}; and what of 2 scans of its own is healthy. Other ages" in cards[1]
