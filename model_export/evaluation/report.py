"""The report: `report.md` with its pictures, and the same figures as `metrics.json`."""

import json
import math
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from disyre import INTENDED_USE
from disyre.wording import counted
from model_export.code_version import CodeVersion
from model_export.evaluation import tables
from model_export.evaluation.benchmark import Benchmark
from model_export.evaluation.case_set import CaseSet
from model_export.evaluation.model import Model
from model_export.evaluation.pictures import Exhibit, draw_curves, draw_exhibits
from model_export.evaluation.published import Published
from model_export.evaluation.repeatability import Repeatability
from model_export.evaluation.results import MethodResults
from model_export.evaluation.tables import Protocol

REPORT_FILE: Final = "report.md"
METRICS_FILE: Final = "metrics.json"
_SHOWN: Final = 3
"""Cases with the best and with the worst average precision that are shown."""
_MOST_COLUMNS: Final = 4
"""Methods beside one another in a picture."""


@dataclass(frozen=True, eq=False)
class Section:
    """What belongs under one heading."""

    title: str
    benchmark: Benchmark | None = None
    is_ablation: bool = False
    """Whether only the figures of voxels are of interest."""
    repeatability: Sequence[Repeatability] = ()
    published: Published | None = None
    """What the figures of the models are to stand beside."""
    checked: CaseSet | None = None
    """What was seen of the cases before they were scored, if they are from a folder."""

    def left_out(self) -> dict[str, str]:
        """Why, by the name of a case that is not among the figures."""
        before = self.checked.left_out if self.checked else {}
        return {**before, **(self.benchmark.left_out if self.benchmark else {})}


@dataclass(eq=False)
class Report:
    """A report that grows section by section."""

    folder: Path
    command: str
    models: Sequence[Model]
    protocol: Protocol
    n_draws: int
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    code: CodeVersion = field(default_factory=CodeVersion.of)
    """Looked up before the report itself changes a file of the checkout."""
    _text: list[str] = field(default_factory=list)
    _figures: list[dict[str, Any]] = field(default_factory=list)
    _left_out: dict[str, int] = field(default_factory=dict)
    """How many cases, by section."""

    def add(self, section: Section) -> None:
        """Add a section, and write what there is so far."""
        self._text += [f"## {section.title}", ""]
        figures: dict[str, Any] = {"title": section.title}
        if section.benchmark is not None:
            figures |= self._add_benchmark(section, section.benchmark)
        if section.repeatability:
            self._text += tables.repeatability(section.repeatability)
            figures["repeatability"] = [asdict(one) for one in section.repeatability]
        self._figures.append(figures)
        if n := len(section.left_out()):
            self._left_out[section.title] = n
        self.write()

    def left_out(self) -> list[str]:
        """In which sections cases are missing, and how many, a line each."""
        return [
            f"{title}: {counted(n, 'case')} left out; the report says which and why"
            for title, n in self._left_out.items()
        ]

    def write(self) -> Path:
        """Write the report and the figures; returns the report's path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        report = self.folder / REPORT_FILE
        report.write_text("\n".join([*self._head(), *self._text]) + "\n", encoding="utf-8")
        figures = {**self._origin(), "sections": self._figures}
        text = json.dumps(_without_nan(figures), indent=1, ensure_ascii=False, allow_nan=False)
        (self.folder / METRICS_FILE).write_text(text + "\n", encoding="utf-8")
        return report

    def _add_benchmark(self, section: Section, benchmark: Benchmark) -> dict[str, Any]:
        n_cases = len(benchmark.exhibits)
        summaries = {results.method: results.summary(n_draws=self.n_draws) for results in benchmark.methods}
        self._text += tables.extent(benchmark.methods[0], self.protocol)
        self._text += tables.checked(section.left_out(), section.checked)
        self._text += tables.figures(summaries, self.protocol, is_ablation=section.is_ablation)
        if section.published is not None:
            own = {m.name: summaries[m.name] for m in self.models if m.name in summaries}
            self._text += tables.published(own, n_cases, section.published)
        if not section.is_ablation:
            self._text += tables.sizes(summaries)
            self._text += tables.difficulty(benchmark.methods)
            self._text += tables.healthy(benchmark.methods)
            self._text += tables.calibrated_on(benchmark.methods, self._calibrated_on())
        self._text += tables.cases(benchmark.methods)
        self._text += self._pictures(section.title, benchmark, section.is_ablation)
        return {
            **({"published": asdict(section.published)} if section.published else {}),
            "methods": {name: asdict(summary) for name, summary in summaries.items()},
            "cases": {results.method: _of_cases(results) for results in benchmark.methods},
            "healthy": {results.method: list(map(vars, results.healthy)) for results in benchmark.methods},
            "left_out": section.left_out(),
            "remarks": dict(section.checked.remarks) if section.checked else {},
            "without_lesion_mask": list(section.checked.without_lesion) if section.checked else [],
        }

    def _calibrated_on(self) -> dict[str, list[str]]:
        """Names of the healthy scans that set each model's threshold."""
        return {m.name: [scan.name for scan in m.manifest.calibration.healthy] for m in self.models}

    def _pictures(self, title: str, benchmark: Benchmark, is_ablation: bool) -> list[str]:
        """Write the pictures of a section; the lines that show them."""
        stem = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        curves = {results.method: results.curve() for results in benchmark.methods}
        draw_curves(self.folder / f"{stem}-curves.png", curves)
        lines = [f"![Precision-recall curves]({stem}-curves.png)", ""]
        if is_ablation:
            return lines
        methods = _best_first(benchmark.methods, keep=len(self.models))[:_MOST_COLUMNS]
        captions = _captions(benchmark.methods)
        for name, exhibits in _best_and_worst(benchmark).items():
            file = f"{stem}-{name}.png"
            thresholds = {results.method: results.threshold for results in benchmark.methods}
            draw_exhibits(self.folder / file, exhibits, captions, methods, thresholds=thresholds)
            first = benchmark.methods[0].method
            lines += [
                f"The {name} cases by the average precision of {first}:",
                "",
                f"![{name} cases]({file})",
                "",
            ]
        return lines

    def _origin(self) -> dict[str, Any]:
        """Of what, by what, where and when."""
        return {
            "command": self.command,
            "version": self.code.version,
            "commit": self.code.commit,
            "has_local_changes": self.code.has_local_changes,
            "created_at": self.started_at.isoformat(timespec="seconds"),
            "machine": f"{platform.machine()}, {os.cpu_count()} processor cores",
            "models": [
                {"name": m.name, "sha256": m.sha256, "modality": m.manifest.modality} for m in self.models
            ],
        }

    def _head(self) -> list[str]:
        origin = self._origin()
        models = [
            f"* **{m['name']}** ({m['modality']}), network SHA-256 `{m['sha256']}`" for m in origin["models"]
        ]
        return [
            "# What was found in cases with known lesions",
            "",
            INTENDED_USE,
            "",
            *models,
            f"* {self.code.in_words()}, {origin['created_at']}, {origin['machine']}",
            "",
            "```sh",
            self.command,
            "```",
            "",
            *tables.legend(self.protocol),
            "",
        ]


def _of_cases(results: MethodResults) -> list[dict[str, Any]]:
    kept = (
        *("case", "facts", "lesion_ml", "average_precision", "best_dice", "found_ml", "elsewhere_ml"),
        *("anomaly_score", "seconds"),
    )
    return [
        {name: getattr(case, name) for name in kept} | {"lesions": list(map(asdict, case.lesions))}
        for case in results.cases
    ]


def _captions(methods: Sequence[MethodResults]) -> dict[str, dict[str, str]]:
    """By case and method."""
    captions: dict[str, dict[str, str]] = {}
    for results in methods:
        for case in results.cases:
            text = f"AP {_short(case.average_precision)}, ⌈Dice⌉ {_short(case.best_dice)}"
            captions.setdefault(case.case, {})[results.method] = text
    return captions


def _short(figure: float) -> str:
    """Two digits that say something."""
    return f"{figure:.2f}" if not figure < 0.1 else f"{figure:.3f}"


def _best_first(methods: Sequence[MethodResults], *, keep: int) -> list[str]:
    """The first `keep` methods, which are the models, and then the others by their average precision."""
    others = sorted(methods[keep:], key=lambda results: -results.curve().average_precision)
    return [results.method for results in (*methods[:keep], *others)]


def _best_and_worst(benchmark: Benchmark) -> dict[str, list[Exhibit]]:
    """What the first method finds best and worst; all cases at once if they are few."""
    scores = np.nan_to_num([case.average_precision for case in benchmark.methods[0].cases], nan=-1.0)
    order = np.argsort(-scores, kind="stable")
    shown = [benchmark.exhibits[number] for number in order]
    if len(shown) <= 2 * _SHOWN:
        return {"shown": shown}
    return {"best": shown[:_SHOWN], "worst": shown[-_SHOWN:]}


def _without_nan(value: Any) -> Any:
    """The same for JSON: what is not a finite number is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
