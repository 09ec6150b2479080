"""`disyre reproduce`: a figure of the papers in one command, from the data that it was published for.

Trains on --healthy as published, exports, links the test data under the names that are read, and measures by
the reference's protocol; with --model, it measures that model and trains none. What is done already in the
folder is not done again: the same command goes on after a stop. docs/training.md says what differs from the
papers even so.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from disyre.errors import DisyreError, InvalidInput
from disyre.modality import Modality
from disyre.model_package import MANIFEST_FILE
from disyre.wording import counted
from model_export import cohorts, export, train
from model_export.checkpoint import CHECKPOINT_FILE, Checkpoint
from model_export.evaluation import evaluate
from model_export.evaluation.model import Model
from model_export.evaluation.published import Published
from model_export.evaluation.report import METRICS_FILE
from model_export.run_folder import RunFolder
from model_export.train_options import torch_device


@dataclass(frozen=True)
class Figure:
    """What a table of the papers is about."""

    cohort: str
    modality: Modality
    first: float
    """Share of the test scans, by name."""
    published: Mapping[str, Published]
    """By paper, where a figure is known."""


FIGURES: Final = {
    "brats-t1w": Figure("brats2020", "T1w", 1.0, {}),
    "brats-t2w": Figure(
        "brats2020",
        "T2w",
        1.0,
        {
            "v1": Published(
                average_precision=0.75, source="ISBI 2024, at second hand; which scans is not said"
            ),
            "v2": Published(
                average_precision=0.8084,
                best_dice=0.7465,
                source="notebook of the reference implementation, 369 scans; MICCAI 2024's is not known here",
            ),
        },
    ),
    "atlas-t1w": Figure(
        "atlas2",
        "T1w",
        0.9,
        {
            "v1": Published(
                average_precision=0.29,
                best_dice=0.34,
                source="ISBI 2024, at second hand, rounded; which scans is not said",
            )
        },
    ),
}
CONFIGS: Final = {"v1": "paper_fpi", "v2": "paper"}
_UNKNOWN: Final = Published(source="no figure is known here")


def make_parser() -> argparse.ArgumentParser:
    """The options of `disyre reproduce`."""
    parser = argparse.ArgumentParser(prog="disyre reproduce", description=__doc__)
    parser.add_argument("figure", choices=FIGURES)
    parser.add_argument(
        "--paper", choices=CONFIGS, default="v2", help="v1: ISBI 2024; v2, if not given: MICCAI 2024"
    )
    trained_on = parser.add_mutually_exclusive_group()
    trained_on.add_argument(
        "--healthy",
        type=Path,
        help="to train on: CamCAN's anat folder, or other healthy scans; not needed once the run has begun",
    )
    trained_on.add_argument(
        "--model", type=Path, help="a package or a run that is measured as it is, instead of training one"
    )
    parser.add_argument(
        "--validation", type=int, default=50, metavar="N", help="persons to hold back; 50, if not given"
    )
    parser.add_argument("--test", type=Path, required=True, help="the test data, as they were unpacked")
    parser.add_argument("--masks", type=Path, help="brain masks of the test data, <name>_brainmask.nii.gz")
    parser.add_argument("--split", type=Path, help="JSON or TSV; which test scans are left out")
    parser.add_argument("--out", type=Path, required=True, help="folder for run, model, links and report")
    parser.add_argument("--device", default="cuda", help="cuda, if not given; cpu takes weeks")
    parser.add_argument("--config", help="another training config than the paper's")
    parser.add_argument("--threads", type=int, help="processor threads; all, if not given")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `disyre reproduce`; returns the exit status."""
    options = make_parser().parse_args(argv)
    try:
        _check_given(options)
        _check_model(options)
        return reproduce(options)
    except DisyreError as error:
        sys.stderr.write(f"disyre reproduce: {error}\n")
        return 2


def reproduce(options: argparse.Namespace) -> int:
    """Do what is left of all steps; returns the exit status of the first that does not end well."""
    figure, links = FIGURES[options.figure], options.out / "cohort"
    # The test data first: what is wrong with them shows before days of training.
    if not links.exists() and (status := cohorts.main([*_cohort(options, figure), str(links)])):
        return status
    if options.model is not None:
        return _measure(options.model, options, figure)
    model = options.out / "models" / f"{options.paper}-{figure.modality.lower()}" / "1"
    return _make(model, options, figure) or _measure(model, options, figure)


def _check_given(options: argparse.Namespace) -> None:
    """Raise InvalidInput for all data that are not there, and if there is nothing to train on or measure."""
    paths = (options.healthy, options.model, options.test, options.masks, options.split)
    wrong = [
        f"expected data at {path}, found nothing" for path in paths if path is not None and not path.exists()
    ]
    has_begun = (options.out / "run" / CHECKPOINT_FILE).is_file()
    if options.healthy is None and options.model is None and not has_begun:
        wrong.append(
            "expected healthy scans to train on (--healthy), or a model to measure (--model), got neither"
        )
    if wrong:
        raise InvalidInput("; ".join(wrong))


def _check_model(options: argparse.Namespace) -> None:
    """Raise InvalidInput for a model of another modality, or if there is no device to train on."""
    if options.model is not None:
        expected = FIGURES[options.figure].modality
        found = Model.load(options.model, threads=options.threads or 0).manifest.modality
        if found != expected:
            raise InvalidInput(f"expected a model of {expected} for {options.figure}, got one of {found}")
        return
    torch_device(options.device)


def _make(model: Path, options: argparse.Namespace, figure: Figure) -> int:
    """Train and export, as far as that is not done; returns an exit status."""
    run, threads = options.out / "run", _threads(options)
    if (status := _train(options, figure, threads)) or not _is_finished(RunFolder(run)):
        return status or 1
    if (model / MANIFEST_FILE).is_file():
        return 0
    return export.main([str(run), "--to", str(model), *threads])


def _measure(model: Path, options: argparse.Namespace, figure: Figure) -> int:
    """Measure a model on the test data, and say what was published; returns an exit status."""
    published, report = figure.published.get(options.paper, _UNKNOWN), options.out / "report"
    places = ["--cases", str(options.out / "cohort"), "--out", str(report)]
    how = ["--protocol", "reference", *_threads(options)]
    status = evaluate.main([str(model), *places, *how], published)
    if status == 0:
        sys.stdout.write(_beside(report / METRICS_FILE, published))
    return status


def _threads(options: argparse.Namespace) -> list[str]:
    return ["--threads", str(options.threads)] if options.threads else []


def _beside(metrics: Path, published: Published) -> str:
    """What a report found with its model, in two lines with what was published."""
    section = json.loads(metrics.read_text(encoding="utf-8"))["sections"][0]
    measured = next(iter(section["methods"].values()))
    n_scans = len(next(iter(section["cases"].values())))
    ap, dice = measured["reference_average_precision"], measured["reference_best_dice"]
    return (
        f"{section['title']}, measured: {_in_words(ap, dice)} ({counted(n_scans, 'scan')})\n"
        f"published: {_in_words(published.average_precision, published.best_dice)} ({published.source})\n"
    )


def _in_words(average_precision: float | None, best_dice: float | None) -> str:
    """Two figures, of which some may not be known."""
    figures = {"AP": average_precision, "best Dice": best_dice}
    return ", ".join(
        f"{name} {'not known' if value is None or math.isnan(value) else f'{value:.4f}'}"
        for name, value in figures.items()
    )


def _cohort(options: argparse.Namespace, figure: Figure) -> list[str]:
    masks = ["--masks", str(options.masks)] if options.masks else []
    split = ["--split", str(options.split)] if options.split else []
    return ["--first", str(figure.first), *masks, *split, figure.cohort, str(options.test)]


def _train(options: argparse.Namespace, figure: Figure, threads: Sequence[str]) -> int:
    run = options.out / "run"
    place = ["--out", str(run), "--device", options.device, *threads]
    if (run / CHECKPOINT_FILE).is_file():
        return train.main(["--resume", *place])
    config = ["--config", options.config or CONFIGS[options.paper], "--modality", figure.modality]
    healthy = ["--data", str(options.healthy), "--validation", str(options.validation)]
    return train.main([*config, *healthy, *place])


def _is_finished(run: RunFolder) -> bool:
    """Whether a run came to its end; it may have been asked to stop."""
    newest = Checkpoint.load(run.path, "cpu")
    return run.config().progress(newest.patches, newest.elapsed_s) >= 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
