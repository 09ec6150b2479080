"""`disyre train`: from a folder of healthy scans to a run folder with a trained network."""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from disyre.errors import DisyreError, InvalidInput
from disyre.modality import MODALITIES
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
from model_export.ranks import Ranks, joined_ranks
from model_export.run_folder import RunFolder, Split
from model_export.split_file import OTHERS, Role, drawn, last_eighth, read_split, roles_of
from model_export.training_loop import describe_outcome, train
from model_export.training_set import TrainingSet, recoloured
from model_export.validation import read_validation

_PHANTOMS = TrainingData(name="phantoms", n_scans=1, licence="none needed: computed")


def make_parser() -> argparse.ArgumentParser:
    """The options of `disyre train`."""
    parser = argparse.ArgumentParser(prog="disyre train", description=__doc__)
    parser.add_argument(
        "--config", default="t1w", help="name in model_export/configs, or path of a TOML file"
    )
    parser.add_argument("--modality", choices=MODALITIES, help="replaces the config's")
    parser.add_argument(
        "--data", type=Path, help="folder of scans or BIDS data set; without it phantoms are made"
    )
    held_back = parser.add_mutually_exclusive_group()
    held_back.add_argument("--split", type=Path, help="JSON or TSV: name to train, validation or exclude")
    held_back.add_argument("--validation", type=int, metavar="N", help="hold back N persons, drawn at random")
    parser.add_argument("--data-name", help="name of the data set, for manifest and model card")
    parser.add_argument("--data-licence", default="unknown", help="licence of the data set")
    parser.add_argument("--data-url", help="where the data set is from")
    parser.add_argument(
        "--label-maps", type=Path, help="folder of label maps (FreeSurfer's labels) to paint patches from"
    )
    parser.add_argument("--label-maps-name", help="name of the label maps, for manifest and model card")
    parser.add_argument("--label-maps-licence", default="unknown", help="licence of the label maps")
    parser.add_argument(
        "--own-scans",
        type=Path,
        help="folder of scans of the modality itself, beside those of --data that are recoloured",
    )
    parser.add_argument("--own-scans-name", help="name of these scans, for manifest and model card")
    parser.add_argument("--own-scans-licence", default="unknown", help="licence of these scans")
    parser.add_argument("--own-scans-url", help="where these scans are from")
    parser.add_argument(
        "--lesion-shapes",
        type=Path,
        help="folder of lesion masks in MNI space, for validation while training",
    )
    parser.add_argument(
        "--lesion-scans",
        type=Path,
        help="folder of healthy scans of the modality to put these into, instead of those held back",
    )
    parser.add_argument("--prepare-only", action="store_true", help="make the run folder and stop")
    parser.add_argument("--start-from", type=Path, help="run folder whose weights a new run begins with")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in this folder")
    parser.add_argument("--device", help="cpu or cuda; replaces the config's")
    parser.add_argument(
        "--tensorboard", action="store_true", help="write curves and pictures for TensorBoard"
    )
    parser.add_argument("--threads", type=int, help="processor threads; all, if not given")
    return parser


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
    config = folder.config() if options.resume else TrainingConfig.read(options.config)
    if options.modality and not options.resume:
        config = replace(config, modality=options.modality)
    device = options.device or config.device
    with joined_ranks(device) as ranks:
        ranks.share_of(config)
        if ranks.is_first and not options.resume:
            begin(options, folder, config)
        ranks.wait()
        if options.prepare_only:
            return
        go_on(options, folder, replace(config, device=device), ranks)


def go_on(options: argparse.Namespace, folder: RunFolder, config: TrainingConfig, ranks: Ranks) -> None:
    """Train from what the folder holds, with the other ranks."""
    config = replace(config, corruption=replace(config.corruption, codebook=folder.split().codebook))
    labels = LabelSlices.load(folder.label_cache) if folder.label_cache.is_file() else None
    own = SliceBank.load(folder.own_cache) if folder.own_cache.is_file() else None
    training = TrainingSet.of(SliceBank.load(folder.train_cache), labels, own, device=config.device)
    validation = read_validation(folder, config)
    wants_board = options.tensorboard or config.tensorboard
    with (
        _progress_line(config, is_shown=ranks.is_first) as line,
        closing(Board(folder.board if wants_board else None, validation)) as board,
        _stop_on_signal() as stop,
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


@dataclass
class _Line:
    """Shows reports as one line of progress."""

    config: TrainingConfig
    progress: Progress

    def __post_init__(self) -> None:
        self.task = self.progress.add_task("training", total=self.config.total_patches)
        self.before = (0.0, 0.0)

    def __call__(self, report: dict[str, float]) -> None:
        patches, seconds = report["patches"], report["elapsed_s"]
        rate = (patches - self.before[0]) / max(seconds - self.before[1], 1e-3)
        self.before = (patches, seconds)
        parts = [f"{rate:.0f} patches/s", f"loss {report['loss']:.5f}"]
        parts += [f"{name} {value:.3f}" for name, value in report.items() if name.endswith("mse_ratio")]
        self.progress.update(self.task, completed=patches, description="  ".join(parts))
        if not self.progress.console.is_terminal:
            self.progress.console.print(f"{patches:.0f} patches, {seconds:.0f} s  " + "  ".join(parts))


@contextmanager
def _progress_line(config: TrainingConfig, *, is_shown: bool) -> Iterator[_Line]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not (is_shown and console.is_terminal)) as progress:
        yield _Line(config, progress)


class _Stop:
    """Becomes true when the run is asked to end."""

    asked = False

    def __call__(self) -> bool:
        return self.asked

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


@contextmanager
def _stop_on_signal() -> Iterator[_Stop]:
    """End after the batch in hand on Ctrl-C or SIGTERM, so that the checkpoint is whole."""
    stop = _Stop()
    before = {number: signal.signal(number, stop.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
