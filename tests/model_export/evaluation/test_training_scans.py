"""What the autoencoder is trained on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from disyre.adapters.nifti_write import write_nifti
from disyre.errors import InvalidInput
from disyre.model_manifest import TrainingData
from disyre.model_package import MANIFEST_FILE, ModelPackage
from model_export.config import TrainingConfig
from model_export.dataset import SliceBank
from model_export.evaluation.training_scans import training_scans
from model_export.evaluation.unseen import check_unseen
from model_export.phantom import make_phantom
from model_export.run_folder import RunFolder, Split
from tests.model_export.conftest import SmokeRun

pytestmark = pytest.mark.timeout(300)  # the smoke run is made in the setup of a test


@pytest.fixture
def run(tmp_path: Path, smoke_config: TrainingConfig, bank: SliceBank) -> Path:
    """A run for T2w on recoloured phantoms and one flat scan of its own."""
    folder = RunFolder(tmp_path / "run")
    source = TrainingData(name="phantoms", n_scans=2, licence="none")
    config = replace(smoke_config, modality="T2w", scans_of="T1w")
    folder.create(config, Split(bank.scan_names, (), (0.5,), source), [])
    bank.save(folder.train_cache)
    SliceBank(torch.full((3, 32, 32), 77, dtype=torch.uint8), ("own",), (3,)).save(folder.own_cache)
    return folder.path


def test_the_scans_of_a_run_are_recoloured_and_those_of_the_modality_itself_are_as_they_are(
    run: Path, bank: SliceBank
) -> None:
    scans = {scan.name: scan for scan in training_scans([run], "T2w", held_back=())}

    assert set(scans) == {*bank.scan_names, "own"}
    assert (scans["own"].volume.voxels == np.float32(77) / 255).all()
    before = next(bank.scans())
    after = scans[before.name]
    assert (after.brain_mask == before.brain_mask).all()
    greys = np.corrcoef(before.volume.voxels[before.brain_mask], after.volume.voxels[after.brain_mask])
    assert greys[0, 1] < 0  # what is bright in T1w is dark in T2w


def test_a_scan_that_is_held_back_is_not_trained_on(run: Path) -> None:
    names = {scan.name for scan in training_scans([run], "T2w", held_back={"phantom-1"})}
    assert names == {"phantom-2", "own"}


def test_folders_of_scans_and_runs_may_be_mixed(run: Path, tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    write_nifti(scans / "sub-9_T2w.nii.gz", make_phantom(9).volume)

    names = [scan.name for scan in training_scans([run, scans], "T2w", held_back=())]

    assert names[-1] == "sub-9"
    assert len(names) == 4


def test_a_run_of_another_modality_is_not_taken(run: Path) -> None:
    with pytest.raises(InvalidInput, match="healthy FLAIR scans to train the autoencoder on, found none"):
        training_scans([run], "FLAIR", held_back=())


def test_a_scan_that_a_run_was_trained_on_is_no_healthy_scan_to_measure_it_by_whatever_its_name(
    run: Path,
) -> None:
    seen = replace(make_phantom(1), name="sub-another")

    with pytest.raises(InvalidInput, match="not trained on, got sub-another, which run"):
        check_unseen([make_phantom(9), seen], [run])


def test_a_scan_of_another_person_with_the_name_of_one_that_was_trained_on_may_be_measured(run: Path) -> None:
    check_unseen([replace(make_phantom(9), name="phantom-1")], [run, run.parent])


def test_a_scan_that_a_package_was_trained_on_is_refused_and_another_is_not(smoke_run: SmokeRun) -> None:
    package = smoke_run.package
    split = smoke_run.folder.split()
    seen, unseen = (int(names[0].split("-")[1]) for names in (split.trained_on, split.held_back))

    assert len(package.manifest.trained_on) == len(split.trained_on)
    check_unseen([replace(make_phantom(unseen), name="sub-1")], [package.folder])
    with pytest.raises(InvalidInput, match="not trained on, got sub-2, which smoke/1"):
        check_unseen([replace(make_phantom(seen), name="sub-2")], [package.folder])


def test_a_package_from_before_scans_were_noted_is_read_and_refuses_none(
    smoke_run: SmokeRun, tmp_path: Path
) -> None:
    manifest = json.loads((smoke_run.package.folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    del manifest["trained_on"]
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")

    assert ModelPackage.read(tmp_path).manifest.trained_on == ()
    check_unseen([make_phantom(0)], [tmp_path])
