"""Healthy scans that the simple methods which learn are trained on."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from disyre.errors import InvalidInput
from disyre.modality import Modality
from model_export.dataset import Scan, SliceBank
from model_export.evaluation.cases import find_healthy, read_scan
from model_export.run_folder import CONFIG_FILE, RunFolder
from model_export.training_set import recoloured

_NONE: Final = "expected healthy {modality} scans to train the autoencoder on, found none"


def training_scans(folders: Sequence[Path], modality: Modality, *, held_back: Collection[str]) -> list[Scan]:
    """The scans of a modality in folders of scans, and those that runs were trained on.

    Raises InvalidInput if there is none.
    """
    runs, files = find_training_scans(folders, modality)
    found = [scan for run in runs for scan in scans_of_run(run)] + [read_scan(path) for path in files]
    kept = [scan for scan in found if scan.name not in held_back]
    if not kept:
        raise InvalidInput(_NONE.format(modality=modality))
    return kept


def find_training_scans(folders: Sequence[Path], modality: Modality) -> tuple[list[RunFolder], list[Path]]:
    """The runs of a modality among some folders, and the files of scans below the others; reads no scan.

    Raises InvalidInput if there is none of either.
    """
    runs = [RunFolder(folder) for folder in folders if (folder / CONFIG_FILE).is_file()]
    of_modality = [run for run in runs if run.config().modality == modality]
    plain = [folder for folder in folders if not (folder / CONFIG_FILE).is_file()]
    files = find_healthy(plain, modality) if plain else []
    if not of_modality and not files:
        raise InvalidInput(_NONE.format(modality=modality))
    return of_modality, files


def scans_of_run(run: RunFolder) -> list[Scan]:
    """The scans that a run was trained on; those of another modality are recoloured, each by one curve."""
    config = run.config()
    bank = SliceBank.load(run.train_cache)
    if config.scans_of not in (None, config.modality):
        bank = recoloured(bank, config.modality, seed=config.seed)
    scans = list(bank.scans())
    if run.own_cache.is_file():
        scans += SliceBank.load(run.own_cache).scans()
    return scans
