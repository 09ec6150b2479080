"""Runs that begin with the weights of another, or of a model package."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from disyre.errors import InvalidInput
from disyre.model_package import ModelPackage
from disyre.schedule import condition
from model_export import train
from model_export.architecture import make_network
from model_export.beginning import Beginning
from model_export.checkpoint import Checkpoint
from model_export.config import TrainingConfig
from model_export.evaluation.unseen import check_unseen
from model_export.evaluation.unseen import trained_on as trained_on_by
from model_export.phantom import make_phantom
from model_export.run_folder import RunFolder
from model_export.verify import ExportedRestorer
from tests.model_export.conftest import SmokeRun

SHIPPED = Path(__file__).parents[2] / "models/t1w/5"


def begun(place: Path, start: Path, seed: int) -> RunFolder:
    """A run that is prepared on the phantoms of a seed, with the weights of another."""
    config = place / "config.toml"
    smoke = (Path(train.__file__).parent / "configs/smoke.toml").read_text()
    config.write_text(f"seed = {seed}\n{smoke}")
    out = place / f"run-{seed}"
    command = ["--config", str(config), "--phantoms", "--start-from", str(start), "--prepare-only"]
    assert train.main([*command, "--out", str(out)]) == 0
    return RunFolder(out)


def test_the_network_that_ships_restores_the_same_after_a_run_has_begun_with_its_package() -> None:
    config = TrainingConfig.read("t1w")
    network = make_network(config.network)

    network.load_state_dict(Beginning.find(SHIPPED, config.network).weights)

    image = 0.2 + 0.6 * torch.rand(3, 1, 96, 112, generator=torch.Generator().manual_seed(1))
    exported = ExportedRestorer(ModelPackage.read(SHIPPED).verified_network(), threads=1)
    for severity in (0.1, 0.4, 0.8):
        with torch.no_grad():
            restored = network.eval()(image, torch.full((3,), condition(severity)))
        wanted = torch.from_numpy(exported(image.numpy(), severity))
        assert (restored - wanted).abs().max() < 0.02 * (wanted - image).abs().max()


def test_a_run_that_begins_with_a_package_has_seen_what_the_package_has_seen(
    smoke_run: SmokeRun, tmp_path: Path
) -> None:
    manifest = smoke_run.package.manifest

    run = begun(tmp_path, smoke_run.package.folder, seed=500)

    assert run.environment()["begun_with"] == f"smoke/1 (SHA-256 {manifest.sha256[:12]})"
    assert run.split().sources[: len(manifest.training_data)] == manifest.training_data
    assert set(manifest.trained_on) < set(trained_on_by(run))
    assert Checkpoint.load(run.path, "cpu").patches == 0


def test_a_run_of_a_run_of_a_run_remembers_all_of_them(smoke_run: SmokeRun, tmp_path: Path) -> None:
    second = begun(tmp_path, smoke_run.folder.path, seed=500)
    third = begun(tmp_path, second.path, seed=900)

    told = third.environment()["begun_with"]
    assert told.count("patches of 96 x 96") == 2
    assert set(smoke_run.package.manifest.trained_on) < set(trained_on_by(third))
    first = make_phantom(TrainingConfig.read("smoke").seed)
    with pytest.raises(InvalidInput, match="got of-old, which run-900 was trained on"):
        check_unseen([replace(first, name="of-old")], [third.path])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("t1w", r"expected a package with the same \[network\] at --start-from, got another in smoke/1"),
        ("paper", "expected a run folder at --start-from for the papers' network, got the package smoke/1"),
    ],
)
def test_a_package_to_begin_with_holds_the_same_network(smoke_run: SmokeRun, config: str, words: str) -> None:
    network = TrainingConfig.read(config).network

    with pytest.raises(InvalidInput, match=words):
        Beginning.find(smoke_run.package.folder, network)
