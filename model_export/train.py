"""`disyre train`: from a folder of healthy scans to a run folder with a trained network."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import torch
from torch import Tensor

from disyre.errors import DisyreError, InvalidInput
from disyre.model_package import TrainingData
from model_export.board import Board
from model_export.checkpoint import CHECKPOINT_FILE, Checkpoint
from model_export.config import TrainingConfig
from model_export.dataset import (
    Scan,
    SliceBank,
    find_scans,
    measure_codebook,
    read_scan,
    scan_name,
)
from model_export.evaluation.cases import read_healthy
from model_export.label_slices import LabelSlices
from model_export.lesion_slices import LesionSlices
from model_export.phantom import make_phantom
from model_export.progress_line import progress_line
from model_export.ranks import Ranks, joined_ranks
from model_export.run_folder import RunFolder, Split
from model_export.split_file import OTHERS, Role, drawn, last_eighth, read_split, roles_of
from model_export.stopping import stop_on_signal
from model_export.train_options import configured, make_parser
from model_export.training_loop import describe_outcome, train
from model_export.training_set import TrainingSet, recoloured
from model_export.validation import read_validation

_PHANTOMS = TrainingData(name="phantoms", n_scans=1, licence="none needed: computed")


def main(argv: Sequence[str]) -> int:
    """Run `disyre train`; returns the exit status."""
    options = make_parser().parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        run(options)
    except DisyreError as error:
        sys.stderr.write(f"disyre train: {error}\n")
        return 2
    return 0


def run(options: argparse.Namespace) -> None:
    """Begin or go on with a run, in one process or as one of those that `torchrun` started.

    Raises InvalidInput if the folder already holds a run that is not to be resumed.
    """
    folder = RunFolder(options.out)
    if not options.resume and (folder.path / CHECKPOINT_FILE).exists():
        raise InvalidInput("the folder holds a run already; give --resume or another --out")
    config = configured(options, folder)
    with joined_ranks(config.device) as ranks:
        ranks.share_of(config)
        if ranks.is_first and not options.resume:
            begin(options, folder, config)
        ranks.wait()
        if options.prepare_only:
            return
        go_on(options, folder, config, ranks)


def go_on(options: argparse.Namespace, folder: RunFolder, config: TrainingConfig, ranks: Ranks) -> None:
    """Train from what the folder holds, with the other ranks."""
    config = replace(config, corruption=replace(config.corruption, codebook=folder.split().codebook))
    labels = LabelSlices.load(folder.label_cache) if folder.label_cache.is_file() else None
    own = SliceBank.load(folder.own_cache) if folder.own_cache.is_file() else None
    training = TrainingSet.of(SliceBank.load(folder.train_cache), labels, own, device=config.device)
    validation = read_validation(folder, config)
    wants_board = options.tensorboard or config.tensorboard
    with (
        progress_line(config, is_shown=ranks.is_first) as line,
        closing(Board(folder.board if wants_board else None, validation)) as board,
        stop_on_signal() as stop,
    ):

        def report(figures: dict[str, float]) -> None:
            line(figures)
            board.report(figures)

        trainee = train(
            config,
            training,
            validation,
            folder,
            on_report=report,
            on_validation=board.draw,
            should_stop=stop,
            ranks=ranks,
        )
    if ranks.is_first:
        sys.stdout.write(f"disyre train: {describe_outcome(config, trainee, folder)}\n")


def begin(options: argparse.Namespace, folder: RunFolder, config: TrainingConfig) -> None:
    """Read the scans, split them and write all that is known before training begins."""
    training, held_back, source = _scans(options, config)
    (folder.path / "cache").mkdir(parents=True, exist_ok=True)
    bank = SliceBank.of(training, config.intensity, min_frame_px=config.patch_px)
    kept = SliceBank.of(held_back, config.intensity, min_frame_px=config.patch_px)
    labels, own = _labels(options, config), _own_scans(options, config)
    if config.scans_of not in (None, config.modality):
        kept = recoloured(kept, config.modality, seed=config.seed)
    if options.lesion_shapes is not None:
        shapes, n_cases = options.lesion_shapes, config.n_lesion_cases
        healthy = _lesion_scans(options, config) or kept
        lesions = LesionSlices.of(healthy, config.intensity, shapes, config.modality, n_cases)
        lesions.save(folder.lesion_cache)
    bank.save(folder.train_cache)
    kept.save(folder.held_back_cache)
    if labels is not None:
        labels.save(folder.label_cache)
    if own is not None:
        own.save(folder.own_cache)
    codebook = config.corruption.codebook or measure_codebook(
        _sample(bank, labels, own, config), config.corruption.n_classes
    )
    source = source.model_copy(update={"n_scans": len(bank.scan_names)})
    extra = _label_source(options, labels), _own_source(options, own)
    split = Split(bank.scan_names, kept.scan_names, codebook, source, *extra)
    folder.create(config, split, sys.argv)
    if options.start_from is not None:
        checkpoint = Checkpoint.load_chosen(options.start_from, "cpu")
        folder.begin_with(RunFolder(options.start_from), checkpoint.patches, checkpoint.elapsed_s)
        Checkpoint.of_weights(checkpoint.ema).save(folder.path)


def _labels(options: argparse.Namespace, config: TrainingConfig) -> LabelSlices | None:
    if options.label_maps is None:
        return None
    return LabelSlices.read(options.label_maps, min_frame_px=config.patch_px)


def _label_source(options: argparse.Namespace, labels: LabelSlices | None) -> TrainingData | None:
    if labels is None:
        return None
    return TrainingData(
        name=options.label_maps_name or f"label maps in {options.label_maps.name}",
        n_scans=labels.n_maps,
        licence=options.label_maps_licence,
    )


def _own_scans(options: argparse.Namespace, config: TrainingConfig) -> SliceBank | None:
    if options.own_scans is None:
        return None
    scans = map(read_scan, find_scans(options.own_scans, config.modality))
    return SliceBank.of(scans, config.intensity, min_frame_px=config.patch_px)


def _lesion_scans(options: argparse.Namespace, config: TrainingConfig) -> SliceBank | None:
    if options.lesion_scans is None:
        return None
    scans = read_healthy([options.lesion_scans], config.modality)
    return SliceBank.of(scans, config.intensity, min_frame_px=config.patch_px)


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


def _scans(
    options: argparse.Namespace, config: TrainingConfig
) -> tuple[Iterator[Scan], Iterator[Scan], TrainingData]:
    """Scans to train on, scans to hold back, and where they are from.

    Raises InvalidInput if a scan to hold back is not there, or none is left to train on.
    """
    if options.data is None:
        seeds = range(config.seed, config.seed + config.n_phantoms)
        return map(make_phantom, seeds[:-2]), map(make_phantom, seeds[-2:]), _PHANTOMS
    paths = find_scans(options.data, config.scans_of or config.modality)
    names = [scan_name(path) for path in paths]
    roles = _roles(options, config, names)
    training = [path for path in paths if roles[scan_name(path)] == "train"]
    held_back = [path for path in paths if roles[scan_name(path)] == "validation"]
    if not training or not held_back:
        raise InvalidInput(
            f"expected scans to train on and scans to hold back, got {len(training)} and {len(held_back)}"
        )
    source = TrainingData(
        name=options.data_name or options.data.name,
        n_scans=len(training),
        licence=options.data_licence,
        url=options.data_url,
    )
    return map(read_scan, training), map(read_scan, held_back), source


def _roles(options: argparse.Namespace, config: TrainingConfig, names: list[str]) -> dict[str, Role]:
    """What each scan is for: as the command says, or else the config, else the last eighth is held back."""
    if options.split is not None:
        return roles_of(names, read_split(options.split))
    if options.validation is not None:
        return drawn(names, options.validation, seed=config.seed)
    if config.held_back:
        return roles_of(names, {OTHERS: "train", **dict.fromkeys(config.held_back, "validation")})
    return last_eighth(names)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
