"""The options of `disyre evaluate`, and whether what they name is there, before hours are spent on it."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from disyre.errors import InvalidInput
from disyre.modality import Modality
from model_export.evaluation.case_files import find_cases
from model_export.evaluation.cases import find_healthy
from model_export.evaluation.semi_synthetic import Shapes
from model_export.evaluation.training_scans import find_training_scans

SEMI_SYNTHETIC: Final = "semi-synthetic"


def make_parser() -> argparse.ArgumentParser:
    """The options of `disyre evaluate`."""
    parser = argparse.ArgumentParser(
        prog="disyre evaluate",
        description="Measure models on cases with known lesions, beside simple methods; write a report.",
    )
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="model packages or run folders")
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    _add_scans(parser)
    _add_measures(parser)
    parser.add_argument("--threads", type=int, default=0, help="processor threads; all, if not given")
    return parser


def _add_scans(parser: argparse.ArgumentParser) -> None:
    """What is measured on."""
    parser.add_argument(
        "--cases", nargs="+", required=True, metavar="CASES", help=f"folders of cases, or {SEMI_SYNTHETIC}"
    )
    parser.add_argument(
        "--healthy", type=Path, nargs="+", default=[], help="folders of healthy scans; none, if not given"
    )
    parser.add_argument(
        "--held-back",
        nargs="+",
        default=[],
        metavar="NAME",
        help="of these, the ones not trained on; all, if not given",
    )
    parser.add_argument("--shapes", type=Path, help="folder of lesion masks in MNI space, *_lesion.nii.gz")
    parser.add_argument(
        "--n", type=_positive, default=100, help="semi-synthetic cases a modality; %(default)s, if not given"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of the semi-synthetic cases; %(default)s, if not given"
    )
    parser.add_argument(
        "--train-scans",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="folders of healthy scans for the autoencoder, or run folders; no autoencoder, if not given",
    )
    parser.add_argument(
        "--pair",
        type=Path,
        nargs=2,
        action="append",
        default=[],
        metavar=("A", "B"),
        help="two scans of one healthy person; may be given several times",
    )


def _add_measures(parser: argparse.ArgumentParser) -> None:
    """What is measured, and how."""
    parser.add_argument(
        "--ablations",
        type=int,
        default=0,
        metavar="N",
        help="compare settings on the first N cases; %(default)s, if not given: none are compared",
    )
    parser.add_argument(
        "--no-baselines",
        action="store_true",
        help="measure the models alone; simple methods too, if not given",
    )
    parser.add_argument(
        "--protocol",
        choices=("exact", "reference"),
        default="exact",
        help="of the first table: all voxels, or as the reference implementation samples; "
        "%(default)s, if not given",
    )
    parser.add_argument(
        "--bootstrap",
        type=_positive,
        default=1000,
        metavar="N",
        help="draws for the confidence intervals; %(default)s, if not given",
    )


def check_paths(options: argparse.Namespace) -> None:
    """Raise InvalidInput for all files and folders that are not there, and all options that are missing."""
    cases = [Path(name) for name in options.cases if name != SEMI_SYNTHETIC]
    scans = [path for pair in options.pair for path in pair]
    folders = [*options.healthy, *options.train_scans, *([options.shapes] if options.shapes else [])]
    wrong = [
        f"expected a scan or a folder at {path}, found nothing"
        for path in dict.fromkeys((*options.models, *cases, *scans, *folders))
        if not path.exists()
    ]
    if SEMI_SYNTHETIC in options.cases:
        wrong += [
            f"expected {option} for {SEMI_SYNTHETIC} cases, got none"
            for option, given in (("--shapes", options.shapes), ("--healthy", options.healthy))
            if not given
        ]
    if wrong:
        raise InvalidInput("; ".join(wrong))
    names = [Path(name).name for name in options.cases]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InvalidInput(f"expected folders of cases with names of their own, got two called {twice.pop()}")


def check_data(options: argparse.Namespace, modalities: Iterable[Modality]) -> None:
    """Raise InvalidInput if there is nothing of a modality where an option says so; reads no scan."""
    for modality in modalities:
        for name in options.cases:
            if name != SEMI_SYNTHETIC:
                find_cases(Path(name), modality)
        if options.healthy:
            find_healthy(options.healthy, modality, options.held_back)
        if options.train_scans and not options.no_baselines:
            find_training_scans(options.train_scans, modality)
    if SEMI_SYNTHETIC in options.cases:
        Shapes(options.shapes)


def _positive(text: str) -> int:
    """A number of things of which there is at least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number
