"""Tables of the report, in Markdown."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import numpy as np

from disyre.wording import counted
from model_export.calibration import HEALTHY_PERCENTILE
from model_export.evaluation.appearance import STRENGTHS
from model_export.evaluation.bootstrap import Interval
from model_export.evaluation.case_set import CaseSet
from model_export.evaluation.detection import LEAST_FOUND, Sensitivity
from model_export.evaluation.metrics import REFERENCE_SAMPLES, REFERENCE_SEED, REFERENCE_THRESHOLDS
from model_export.evaluation.published import Published
from model_export.evaluation.repeatability import Repeatability
from model_export.evaluation.results import CaseResult, MethodResults, Summary
from model_export.evaluation.semi_synthetic import SIZES_ML
from model_export.split_file import few

Protocol: TypeAlias = Literal["exact", "reference"]
"""All voxels, exactly; or as the reference implementation samples voxels and thresholds."""

_OF_VOXELS: Final[Mapping[Protocol, tuple[str, ...]]] = {
    "exact": (
        "AP is average precision, ⌈Dice⌉ the best Dice over all thresholds; both of voxels, of all cases",
        "at once unless it says otherwise, with 95 % intervals over cases.",
    ),
    "reference": (
        f"AP, {REFERENCE_SAMPLES:,} voxels, is average precision as the reference implementation measures:",
        "of so many voxels of each case's box around the brain, drawn with replacement, of all cases;",
        f"⌈Dice⌉, {REFERENCE_THRESHOLDS} thresholds, is the best Dice of these voxels over so many",
        f"thresholds. From one draw (seed {REFERENCE_SEED}), no intervals. Means of cases are",
        "of all voxels, with 95 % intervals over cases.",
    ),
}
_LEGEND: Final = (
    "Slices are scored by the mean of their 100",
    "highest pixels, volumes by the mean of the highest hundredth of the brain. The threshold is the model's",
    f"own, or, where it has none, what {HEALTHY_PERCENTILE:g} % of the voxels of the healthy scans here are",
    "below: at another false-positive volume than a model's. A lesion is found if",
    f"{LEAST_FOUND:.0%} of it are above the threshold, which says nothing of what is marked elsewhere. In",
    "pictures, front is at the top and the patient's right on the left; a method's colours mean the same in",
    "all rows of a picture. A case is shown in the slice with most of its lesion; its figures are of the",
    "whole scan, so what is marked falsely in other slices is in them and not in the picture. The bar beside",
    "a map has its values, with a line at the method's threshold if that is among them.",
)
_WITHOUT_HEALTHY: Final = (
    "No healthy scans were given (`--healthy`): so there is no volume AUROC, no false-positive volume of a "
    "healthy scan, and of methods without a threshold of their own no lesion that is found at one."
)
_FEW_CASES: Final = 20
"""With fewer, figures of drawn voxels are too noisy to compare."""
_MOST_ROWS: Final = 40
"""Cases that are listed one by one."""


def legend(protocol: Protocol) -> list[str]:
    """What the columns mean."""
    return [*_OF_VOXELS[protocol], *_LEGEND]


def extent(results: MethodResults, protocol: Protocol) -> list[str]:
    """How many cases there are, and what that means for the figures; `results` are those of any method."""
    n_cases = len(results.cases)
    words = f"{counted(n_cases, 'case')}."
    if all("scan" in case.facts for case in results.cases):
        n_brains = len({case.facts["scan"] for case in results.cases})
        words = words[:-1] + f" in {counted(n_brains, 'brain')}: intervals tell nothing of other people."
    lines = [words, ""]
    if protocol == "reference" and n_cases < _FEW_CASES:
        n_lesion = sum(case.reference_voxels.lesion.size for case in results.cases)
        lines += [
            f"**Of the {n_cases * REFERENCE_SAMPLES:,} voxels that were drawn, {n_lesion:,} are lesion: "
            f"with fewer than {_FEW_CASES} cases another draw",
            "gives other figures.** Those of all voxels, in `metrics.json`, do not depend on a draw.",
            "",
        ]
    return lines


def checked(left_out: Mapping[str, str], seen: CaseSet | None) -> list[str]:
    """Which cases are not among the figures and why, and what is odd about those that are."""
    lines = [f"* {name}: left out: {why}" for name, why in left_out.items()]
    if seen is not None:
        lines += [f"* {name}: {what}" for name, what in seen.remarks.items()]
        if seen.without_lesion:
            n = counted(len(seen.without_lesion), "scan")
            lines.append(f"* {n} left out, without a lesion mask: {few(seen.without_lesion)}")
    return [*lines, ""] if lines else []


def calibrated_on(methods: Sequence[MethodResults], names: Mapping[str, Collection[str]]) -> list[str]:
    """Which of the healthy scans set the thresholds of models, by name; `names` are those of each model's."""
    lines: list[str] = []
    for results in methods:
        shared = [scan.scan for scan in results.healthy if scan.scan in names.get(results.method, ())]
        if shared:
            lines += [
                f"By their names, {', '.join(shared)} {'is' if len(shared) == 1 else 'are'} among the "
                f"{counted(len(names[results.method]), 'healthy scan')} that set the threshold of",
                f"{results.method}: the mL above it there are by construction, not those of other people.",
                "",
            ]
    return lines


def figures(summaries: Mapping[str, Summary], protocol: Protocol, *, is_ablation: bool) -> list[str]:
    """One row a method."""
    columns = ["method", *_protocol_columns(protocol), "AP, mean of cases", "⌈Dice⌉, mean of cases"]
    if not is_ablation:
        columns += ["slice AUROC", "slice AP", "volume AUROC", "false positive, mL in a healthy scan"]
    rows = []
    for name, one in summaries.items():
        row = [name, *_protocol_figures(one, protocol)]
        row += [_interval(one.mean_case_average_precision), _interval(one.mean_case_best_dice)]
        if not is_ablation:
            slice_auroc, slice_ap = one.slices["top"]
            row += [_number(slice_auroc), _number(slice_ap), _number(one.volume_auroc)]
            row += [_interval(one.false_positive_ml, digits=1)]
        rows.append([*row, _number(one.seconds.value, digits=1)])
    return table([*columns, "s a scan"], rows)


def _protocol_columns(protocol: Protocol) -> list[str]:
    return ["AP", "⌈Dice⌉"] if protocol == "exact" else ["AP, 10,000 voxels", "⌈Dice⌉, 200 thresholds"]


def _protocol_figures(summary: Summary, protocol: Protocol) -> list[str]:
    if protocol == "exact":
        return [_interval(summary.average_precision), _interval(summary.best_dice)]
    return [_number(summary.reference_average_precision), _number(summary.reference_best_dice)]


def published(summaries: Mapping[str, Summary], n_cases: int, known: Published) -> list[str]:
    """What was measured by the reference's protocol, and beside it what was published."""
    rows = [
        [
            f"{name}, measured here, {counted(n_cases, 'scan')}",
            *_digits4(one.reference_average_precision, one.reference_best_dice),
        ]
        for name, one in summaries.items()
    ]
    rows.append([f"published: {known.source}", *_digits4(known.average_precision, known.best_dice)])
    what = "Beside what was published, both as the reference implementation measures:"
    return [what, "", *table(["", "AP, 10,000 voxels", "⌈Dice⌉, 200 thresholds"], rows)]


def _digits4(*figures: float) -> list[str]:
    return [_number(figure, digits=4) for figure in figures]


def sizes(summaries: Mapping[str, Summary]) -> list[str]:
    """Share of lesions found, by size."""
    bins = next(iter(summaries.values())).sensitivities
    columns = [_range(b.smallest_ml, b.largest_ml) + f" (n = {b.n_lesions})" for b in bins]
    rows = [
        [name, *(_share_found(b, one.threshold) for b in one.sensitivities)]
        for name, one in summaries.items()
    ]
    without = [name for name, one in summaries.items() if math.isnan(one.threshold)]
    why = f"–: {', '.join(without)} had no healthy scans to set a threshold with (`--healthy`)."
    hint = [why, ""] if without else []
    return ["Lesions found at the threshold, by size:", "", *table(["method", *columns], rows), *hint]


def _share_found(bin_: Sensitivity, threshold: float) -> str:
    """A dash if there was nothing to find, or nothing to find it by."""
    is_known = bin_.n_lesions and not math.isnan(threshold)
    return f"{bin_.n_found / bin_.n_lesions:.0%}" if is_known else "–"


def difficulty(methods: Sequence[MethodResults]) -> list[str]:
    """Mean average precision by size and strength, of semi-synthetic cases; of others, nothing."""
    if "strength" not in methods[0].cases[0].facts:
        return []
    groups: dict[str, Callable[[CaseResult], bool]] = {s: _with_strength(s) for s in STRENGTHS}
    groups |= {_range(low, high): _with_size(low, high) for low, high in SIZES_ML}
    rows = []
    for results in methods:
        those = [[c.average_precision for c in results.cases if is_in(c)] for is_in in groups.values()]
        rows.append([results.method, *(_number(float(np.mean(one))) if one else "–" for one in those)])
    return ["AP, mean of the cases of a strength or size:", "", *table(["method", *groups], rows)]


def _with_strength(strength: str) -> Callable[[CaseResult], bool]:
    return lambda case: case.facts["strength"] == strength


def _with_size(low: float, high: float) -> Callable[[CaseResult], bool]:
    return lambda case: low <= case.lesion_ml < high


def healthy(methods: Sequence[MethodResults]) -> list[str]:
    """Anomaly score and false-positive volume of each healthy scan, or what is left out without any."""
    if not methods[0].healthy:
        return [_WITHOUT_HEALTHY, ""]
    rows = [
        [
            results.method,
            _number(results.threshold, digits=4),
            *(f"{scan.anomaly_score:.3f}, {scan.false_positive_ml:.1f} mL" for scan in results.healthy),
        ]
        for results in methods
    ]
    names = [scan.scan for scan in methods[0].healthy]
    return [
        "Healthy scans: score, and volume above the threshold.",
        "",
        *table(["method", "threshold", *names], rows),
    ]


def cases(methods: Sequence[MethodResults]) -> list[str]:
    """Average precision, best Dice and what is above the threshold in each case, if they are not many."""
    if len(methods[0].cases) > _MOST_ROWS:
        return []
    rows = []
    for number, case in enumerate(methods[0].cases):
        found = [results.cases[number] for results in methods]
        rows.append([_described(case), *(_found_in(c) for c in found)])
    columns = ["case", *(results.method for results in methods)]
    what = "Case by case: AP, ⌈Dice⌉; mL above the threshold, in the lesion and elsewhere in the brain."
    return [what, "", *table(columns, rows)]


def _found_in(case: CaseResult) -> str:
    figures = f"{_number(case.average_precision)}, {_number(case.best_dice)}"
    if math.isnan(case.found_ml):
        return figures
    return f"{figures}; {case.found_ml:.1f}, {case.elsewhere_ml:.1f}"


def repeatability(measured: Sequence[Repeatability]) -> list[str]:
    """Scores of two scans of one person."""
    lines: list[str] = []
    for one in measured:
        rows = [
            [
                " / ".join(pair.scans),
                " / ".join(f"{score:.4f}" for score in pair.anomaly_scores),
                f"{pair.relative_difference:.1%}",
                " / ".join(f"{ml:.1f}" for ml in pair.reported_ml),
            ]
            for pair in one.pairs
        ]
        between = f" and {one.between_sd:.4f} between persons" if len(one.pairs) > 1 else ""
        lines += [
            f"{one.method}: the standard deviation of the score is {one.within_sd:.4f} between scans of a",
            f"person{between}.",
            "",
            *table(["scans", "anomaly score", "difference", "above the threshold, mL"], rows),
        ]
    return lines


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table and an empty line.

    >>> table(["a", "b"], [["1", "2"]])
    ['| a | b |', '|---|---|', '| 1 | 2 |', '']
    """
    lines = [list(columns), *map(list, rows)]
    text = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return [text[0], "|" + "---|" * len(columns), *text[1:], ""]


def _described(case: CaseResult) -> str:
    what = f"{case.case}, {case.lesion_ml:.1f} mL"
    return f"{what}, {case.facts['look']}, {case.facts['strength']}" if "look" in case.facts else what


def _range(low: float, high: float) -> str:
    return f"> {low:g} mL" if math.isinf(high) else f"{low:g}–{high:g} mL"


def _interval(interval: Interval, *, digits: int = 3) -> str:
    if math.isnan(interval.value):
        return "–"
    if math.isnan(interval.low):
        return f"{interval.value:.{digits}f}"
    return f"{interval.value:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _number(value: float, *, digits: int = 3) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
