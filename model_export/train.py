"""`disyre train`: from a folder of healthy scans to a run folder with a trained network."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import torch

from disyre.errors import DisyreError, InvalidInput
from disyre.wording import counted
from model_export.board import Board
from model_export.checkpoint import CHECKPOINT_FILE
from model_export.config import TrainingConfig
from model_export.dataset import SliceBank
from model_export.label_slices import LabelSlices
from model_export.progress_line import preparation_line, progress_line
from model_export.ranks import Ranks, joined_ranks
from model_export.run_folder import RunFolder
from model_export.run_preparation import prepare
from model_export.stopping import Stopped, stop_on_signal
from model_export.train_options import configured, make_parser, says_of_config
from model_export.training_loop import describe_outcome, train
from model_export.training_set import TrainingSet
from model_export.validation import read_validation


def main(argv: Sequence[str]) -> int:
    """Run `disyre train`; returns the exit status."""
    options = make_parser().parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        run(options)
    except KeyboardInterrupt as stopped:  # while scans are read; training itself ends after a batch
        sys.stderr.write(f"disyre train: stopped before training; {_how_to_go_on(RunFolder(options.out))}\n")
        return stopped.exit_status if isinstance(stopped, Stopped) else 130
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
    if words := says_of_config(options):
        sys.stderr.write(f"disyre train: {words}\n")
    with joined_ranks(config.device) as ranks:
        ranks.share_of(config)
        if ranks.is_first and not options.resume:
            begin(options, folder, config)
        ranks.wait()
        if options.prepare_only:
            return
        go_on(options, folder, config, ranks)


def _how_to_go_on(folder: RunFolder) -> str:
    if folder.is_ready:
        return f"the folder is ready, and --resume --out {folder.path} goes on with it"
    return "the run folder is not ready, and the same command begins anew"


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
            on_step=line.step,
            should_stop=stop,
            ranks=ranks,
        )
    if ranks.is_first:
        sys.stdout.write(f"disyre train: {describe_outcome(config, trainee, folder)}\n")


def begin(options: argparse.Namespace, folder: RunFolder, config: TrainingConfig) -> None:
    """Make the run folder, and say what it holds. Raises Stopped after Ctrl-C or SIGTERM.

    The signal only asks: Python's own exception for it was lost now and then (as one in a finaliser is).
    """
    with stop_on_signal() as stop:
        try:
            with preparation_line(stop) as line:
                split = prepare(options, folder, config, line)
        except KeyboardInterrupt as error:
            raise Stopped(stop.number) from error
    if stop():
        raise Stopped(stop.number)
    scans = f"{counted(len(split.trained_on), 'scan')} to train on, {len(split.held_back)} held back"
    sys.stdout.write(f"disyre train: {folder.path} is ready, {scans}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
