"""`disyre evaluate`: measure models on cases with known lesions, beside simple methods; write a report."""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import torch

from disyre.errors import DisyreError
from disyre.modality import MODALITIES, Modality
from model_export.dataset import Scan
from model_export.evaluation.autoencoder import autoencoder_method
from model_export.evaluation.baselines import baselines
from model_export.evaluation.benchmark import Benchmark, measure_healthy, run
from model_export.evaluation.case_files import Layout
from model_export.evaluation.case_set import CaseSet
from model_export.evaluation.cases import Case, read_healthy, read_scan
from model_export.evaluation.method import Method
from model_export.evaluation.model import Model
from model_export.evaluation.options import SEMI_SYNTHETIC, check_data, check_paths, make_parser
from model_export.evaluation.published import Published
from model_export.evaluation.repeatability import Repeatability, measure_repeatability
from model_export.evaluation.report import Report, Section
from model_export.evaluation.semi_synthetic import semi_synthetic_cases
from model_export.evaluation.training_scans import training_scans
from model_export.evaluation.unseen import check_unseen

Sets: TypeAlias = Mapping[str, CaseSet]
"""The cases of one modality, by what --cases calls their folder."""


def main(argv: Sequence[str], published: Published | None = None) -> int:
    """Run `disyre evaluate`; returns the exit status.

    `published` is put beside what is found in the cases.
    """
    options = make_parser().parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        report = evaluate(options, f"disyre evaluate {shlex.join(argv)}", published)
    except DisyreError as error:
        sys.stderr.write(f"disyre evaluate: {error}\n")
        return 2
    sys.stdout.write(f"{report}\n")
    return 0


def evaluate(options: argparse.Namespace, command: str, published: Published | None = None) -> Path:
    """Measure models and write the report; returns its path.

    Raises InvalidInput for options or data that do not go together, Misconfigured for a model that cannot be
    used.
    """
    check_paths(options)
    models = [Model.load(folder, threads=options.threads) for folder in options.models]
    modalities = sorted({model.manifest.modality for model in models})
    check_data(options, modalities)
    _say_of_pairs(options, modalities)
    sets = _checked(options, modalities)
    report = Report(options.out, command, models, protocol=options.protocol, n_draws=options.bootstrap)
    with _new_folders(options.out), tempfile.TemporaryDirectory(dir=options.out, prefix=".scores-") as kept:
        for modality in modalities:
            own = [model for model in models if model.manifest.modality == modality]
            for section in _sections(own, modality, options, sets[modality], Path(kept)):
                is_comparable = section.benchmark is not None and not section.is_ablation
                report.add(replace(section, published=published if is_comparable else None))
    for line in report.left_out():
        _say(f"disyre evaluate: {line}")
    return report.write()


@contextmanager
def _new_folders(out: Path) -> Iterator[None]:
    """Make a folder and those above it; what nothing was written into by the end is taken away again."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for folder in made:
            if not any(folder.iterdir()):
                folder.rmdir()


def _checked(options: argparse.Namespace, modalities: Sequence[Modality]) -> dict[Modality, Sets]:
    """A look into every case of every folder, before hours are spent on the first."""
    folders = [name for name in options.cases if name != SEMI_SYNTHETIC]
    return {
        modality: {name: CaseSet.checked(Path(name), modality, _say) for name in folders}
        for modality in modalities
    }


def _sections(
    models: Sequence[Model], modality: Modality, options: argparse.Namespace, sets: Sets, kept: Path
) -> Iterator[Section]:
    """What is measured for one modality; the settings, which take longest, last."""
    healthy = _healthy(options, modality)
    methods = [model.method() for model in models]
    if not options.no_baselines:
        methods += [*baselines(modality), *_autoencoder(options, modality, healthy)]
    titles = {_title(name, modality): name for name in options.cases}
    controls = measure_healthy(methods, [Case.healthy(scan) for scan in healthy], on_case=_say)
    benchmark: Benchmark | None = None
    for title, name in titles.items():
        cases = _cases(name, healthy, modality, options, sets)
        benchmark = run(methods, controls, cases, _new_folder(kept), on_case=_say)
        yield Section(title, benchmark, checked=sets.get(name))
    pairs = [pair for pair in options.pair if _is_of(modality, pair)]
    if pairs and benchmark is not None:
        yield Section(f"{modality}, two scans of a person", repeatability=_pairs(models, benchmark, pairs))
    for title, name in titles.items() if options.ablations else ():
        variants = [variant for model in models for variant in model.variants()]
        cases = islice(_cases(name, healthy, modality, options, sets), options.ablations)
        compared = run(variants, measure_healthy(variants, []), cases, _new_folder(kept), on_case=_say)
        yield Section(f"{title}: settings compared", compared, is_ablation=True)


def _title(cases: str, modality: Modality) -> str:
    """Of a section: what a folder of cases says that it is called, or else its own name."""
    if cases == SEMI_SYNTHETIC:
        return f"{modality}, {cases} cases"
    if called := Layout.read(Path(cases)).name:
        return f"{called}, {modality}"
    name = Path(cases).resolve().name
    return f"{modality}, {name}" if name.endswith("cases") else f"{modality}, {name} cases"


def _new_folder(parent: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=parent))


def _is_of(modality: Modality, pair: Sequence[Path]) -> bool:
    """Whether two scans are of a modality, or do not say of which."""
    said = {other for other in MODALITIES for path in pair if other in path.name}
    return said <= {modality}


def _say_of_pairs(options: argparse.Namespace, modalities: Sequence[Modality]) -> None:
    """Which pairs no model is for."""
    for pair in options.pair:
        if not any(_is_of(modality, pair) for modality in modalities):
            names, known = " and ".join(path.name for path in pair), ", ".join(modalities)
            _say(f"disyre evaluate: --pair {names}: left out, no model of their modality is among {known}")


def _pairs(
    models: Sequence[Model], benchmark: Benchmark, paths: Sequence[Sequence[Path]]
) -> list[Repeatability]:
    pairs = [(read_scan(one), read_scan(other)) for one, other in paths]
    return [
        measure_repeatability(model.method(), pairs, benchmark.of(model.name).threshold) for model in models
    ]


def _healthy(options: argparse.Namespace, modality: Modality) -> list[Scan]:
    if not options.healthy:
        return []
    scans = read_healthy(options.healthy, modality, options.held_back)
    check_unseen(scans, [*options.models, *options.train_scans])
    return scans


def _autoencoder(options: argparse.Namespace, modality: Modality, healthy: Sequence[Scan]) -> list[Method]:
    if not options.train_scans:
        return []
    scans = training_scans(options.train_scans, modality, held_back={scan.name for scan in healthy})
    return [autoencoder_method(scans, options.out / f"autoencoder-{modality}.pt")]


def _cases(
    name: str, healthy: Sequence[Scan], modality: Modality, options: argparse.Namespace, sets: Sets
) -> Iterator[Case]:
    if name != SEMI_SYNTHETIC:
        return sets[name].read()
    return semi_synthetic_cases(healthy, options.shapes, modality, options.n, options.seed)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
