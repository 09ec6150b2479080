"""The beginning of a run: scans are read and kept as slices, with all that is known before training."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from disyre.errors import InvalidInput
from disyre.model_manifest import TrainingData
from model_export.checkpoint import Checkpoint
from model_export.config import TrainingConfig
from model_export.dataset import Scan, SliceBank, measure_codebook, read_scan
from model_export.evaluation import cases
from model_export.label_slices import LabelSlices
from model_export.lesion_slices import LesionSlices, lesion_cases
from model_export.phantom import make_phantom
from model_export.progress_line import PreparationLine
from model_export.run_folder import RunFolder, Split
from model_export.training_set import TrainingSet, recoloured
from model_export.training_sources import TrainingSources


def prepare(
    options: argparse.Namespace, folder: RunFolder, config: TrainingConfig, line: PreparationLine
) -> Split:
    """Read what the options of `disyre train` name, and make the run folder; what is done is told to `line`.

    Raises InvalidInput for what is not there, before anything is read, and for a scan that cannot be used,
    by its name.
    """
    sources = TrainingSources.find(options, config)
    bank, kept = _scans(sources, config, line)
    labels, own = _labels(sources, config, line), _own_scans(sources, config, line)
    if config.scans_of not in (None, config.modality):
        kept = recoloured(kept, config.modality, seed=config.seed)
    lesions = _lesions(options, sources, kept, config, line)
    folder.clear()
    places = (folder.train_cache, folder.held_back_cache, folder.label_cache, folder.own_cache)
    slices = [*zip((bank, kept, labels, own), places, strict=True), (lesions, folder.lesion_cache)]
    to_write = [(each, place) for each, place in slices if each is not None]
    for each, place in line.each(to_write, "files of slices", len(to_write)):
        each.save(place)
    codebook = config.corruption.codebook or measure_codebook(
        _sample(bank, labels, own, config), config.corruption.n_classes
    )
    extra = _label_source(options, labels), _own_source(options, own)
    source = sources.described.model_copy(update={"n_scans": len(bank.scan_names)})
    split = Split(bank.scan_names, kept.scan_names, codebook, source, *extra)
    if (beginning := sources.beginning) is not None:
        split = replace(split, before=beginning.sources, seen_before=beginning.trained_on)
    folder.describe(config, split, sys.argv)
    if beginning is not None:
        folder.begin_with(beginning.made)
        Checkpoint.of_weights(beginning.weights).save(folder.path)
    folder.make_ready(config)
    return split


def _scans(
    sources: TrainingSources, config: TrainingConfig, line: PreparationLine
) -> tuple[SliceBank, SliceBank]:
    """The scans to train on, and those that are held back."""
    seeds = sources.phantoms
    training, held_back = _read(sources.training), _read(sources.held_back)
    n_training, n_held_back = len(sources.training), len(sources.held_back)
    if seeds:
        training, held_back = map(make_phantom, seeds[:-2]), map(make_phantom, seeds[-2:])
        n_training, n_held_back = len(seeds) - 2, 2
    bank = _bank(line.each(training, "scans to train on", n_training), config)
    return bank, _bank(line.each(held_back, "scans to hold back", n_held_back), config)


def _read(paths: Iterable[Path], reader: Callable[[Path], Scan] = read_scan) -> Iterator[Scan]:
    """Scans one by one; one that cannot be used is named."""
    for path in paths:
        try:
            yield reader(path)
        except InvalidInput as error:
            raise InvalidInput(f"{path}: {error}") from error


def _bank(scans: Iterable[Scan], config: TrainingConfig) -> SliceBank:
    return SliceBank.of(scans, config.intensity, min_frame_px=config.patch_px)


def _labels(sources: TrainingSources, config: TrainingConfig, line: PreparationLine) -> LabelSlices | None:
    if not sources.labels:
        return None
    maps = line.each(sources.labels, "label maps", len(sources.labels))
    return LabelSlices.read(maps, min_frame_px=config.patch_px)


def _own_scans(sources: TrainingSources, config: TrainingConfig, line: PreparationLine) -> SliceBank | None:
    if not sources.own:
        return None
    return _bank(line.each(_read(sources.own), "scans of its own", len(sources.own)), config)


def _lesions(
    options: argparse.Namespace,
    sources: TrainingSources,
    kept: SliceBank,
    config: TrainingConfig,
    line: PreparationLine,
) -> LesionSlices | None:
    """Lesions in the scans that are given for it, or else in those held back."""
    if options.lesion_shapes is None:
        return None
    if sources.lesion_scans:
        given = _read(sources.lesion_scans, cases.read_scan)
        kept = _bank(line.each(given, "scans for lesions", len(sources.lesion_scans)), config)
    n = config.n_lesion_cases
    made = lesion_cases(kept, options.lesion_shapes, config.modality, n)
    return LesionSlices.of(line.each(made, "cases with lesions", n), config.intensity)


def _label_source(options: argparse.Namespace, labels: LabelSlices | None) -> TrainingData | None:
    if labels is None:
        return None
    return TrainingData(
        name=options.label_maps_name or f"label maps in {options.label_maps.name}",
        n_scans=labels.n_maps,
        licence=options.label_maps_licence,
    )


def _own_source(options: argparse.Namespace, own: SliceBank | None) -> TrainingData | None:
    if own is None:
        return None
    return TrainingData(
        name=options.own_scans_name or f"scans in {options.own_scans.name}",
        n_scans=len(own.scan_names),
        licence=options.own_scans_licence,
        url=options.own_scans_url,
    )


def _sample(
    bank: SliceBank, labels: LabelSlices | None, own: SliceBank | None, config: TrainingConfig
) -> Tensor:
    """Codes of some patches, as a run draws them."""
    generator = torch.Generator().manual_seed(config.seed)
    many = replace(config, batch_size=256)
    patches, _ = TrainingSet.of(bank, labels, own).draw(many, generator)
    return torch.round(255 * patches[:, 0]).to(torch.uint8)
