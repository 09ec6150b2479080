"""Every method on every case: the healthy scans first, for thresholds, then the cases one by one."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from disyre import scoring
from disyre.errors import InvalidInput
from disyre.types import Mask, Voxels
from model_export.calibration import HEALTHY_PERCENTILE
from model_export.evaluation import detection
from model_export.evaluation.cases import Case
from model_export.evaluation.method import Method
from model_export.evaluation.metrics import (
    REFERENCE_SEED,
    curve,
    separate,
    separate_as_reference,
)
from model_export.evaluation.pictures import Exhibit, show
from model_export.evaluation.results import CaseResult, HealthyResult, MethodResults


@dataclass(frozen=True, eq=False)
class Benchmark:
    """The results of several methods on the same cases."""

    methods: list[MethodResults]
    exhibits: list[Exhibit] = field(default_factory=list)
    """One for each case, in the order of the cases."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Why, by the name of a case that could not be scored."""

    def of(self, method: str) -> MethodResults:
        """The results of one method."""
        return next(results for results in self.methods if results.method == method)


def measure_healthy(
    methods: Sequence[Method], scans: Sequence[Case], *, on_case: Callable[[str], None] = lambda line: None
) -> list[MethodResults]:
    """What the methods give healthy scans, and so the thresholds of those without one of their own.

    Without any scan such a threshold is NaN, and nothing is above it.
    """
    return [_on_healthy(method, scans, on_case) for method in methods]


def run(
    methods: Sequence[Method],
    healthy: Sequence[MethodResults],
    cases: Iterable[Case],
    kept: Path,
    *,
    on_case: Callable[[str], None] = lambda line: None,
) -> Benchmark:
    """Measure methods on cases, after `healthy` was measured for each of them.

    `kept` is a folder for the scores of all voxels, which may be many. `on_case` is told in a line what was
    done. A case that a method refuses is left out for all of them.
    Raises InvalidInput if none is left.
    """
    results = [replace(those, cases=[]) for those in healthy]
    benchmark = Benchmark(results)
    rng = np.random.default_rng(REFERENCE_SEED)
    for number, case in enumerate(cases):
        try:
            timed = [_timed(method, case) for method in methods]
        except InvalidInput as error:
            benchmark.left_out[case.name] = str(error)
            on_case(f"{case.name} is left out: {error}")
            continue
        for place, (those, (found, seconds)) in enumerate(zip(results, timed, strict=True)):
            file = kept / f"{place}-{number}"
            those.cases.append(_measure(case, found, those.threshold, seconds, file, rng))
        maps = {method.name: found for method, (found, _) in zip(methods, timed, strict=True)}
        benchmark.exhibits.append(show(case, maps))
        on_case(_line(case, results))
    if not benchmark.exhibits:
        raise InvalidInput(f"expected cases that can be scored, got {len(benchmark.left_out)} that cannot")
    return benchmark


def _timed(method: Method, case: Case) -> tuple[Voxels, float]:
    """A map, and how many seconds it took."""
    start = time.perf_counter()
    return method.map_of(case), time.perf_counter() - start


def _on_healthy(method: Method, scans: Sequence[Case], on_case: Callable[[str], None]) -> MethodResults:
    maps, seconds = [], []
    for scan in scans:
        start = time.perf_counter()
        maps.append(method.map_of(scan))
        seconds.append(time.perf_counter() - start)
        on_case(f"{scan.name}, healthy: {method.name}, {seconds[-1]:.1f} s")
    threshold = _threshold_of(scans, maps) if method.threshold is None else method.threshold
    measured = zip(scans, maps, seconds, strict=True)
    return MethodResults(method.name, threshold, healthy=[_healthy(*one, threshold) for one in measured])


def _threshold_of(scans: Sequence[Case], maps: Sequence[Voxels]) -> float:
    """As a package's is measured; NaN without healthy scans."""
    if not scans:
        return float("nan")
    values = [found[scan.brain_mask] for scan, found in zip(scans, maps, strict=True)]
    return float(np.percentile(np.concatenate(values), HEALTHY_PERCENTILE))


def _healthy(scan: Case, found: Voxels, seconds: float, threshold: float) -> HealthyResult:
    return HealthyResult(
        scan.name,
        scoring.anomaly_score(scan.volume.with_voxels(found), scan.brain_mask),
        detection.reported_ml(found, scan.brain_mask, scan.volume.affine, threshold),
        seconds,
    )


def _measure(
    case: Case, found: Voxels, threshold: float, seconds: float, file: Path, rng: np.random.Generator
) -> CaseResult:
    affine = case.volume.affine
    voxels = separate(found, case.lesion, case.brain_mask)
    own = curve([voxels]) if case.lesion.any() else None
    return CaseResult(
        case=case.name,
        facts=dict(case.facts),
        lesion_ml=scoring.mask_volume_ml(case.lesion, affine),
        voxels=voxels.kept(file),
        reference_voxels=separate_as_reference(found, case.lesion, case.brain_mask, rng),
        slices=detection.score_slices(found, case.lesion, case.brain_mask, affine),
        lesions=detection.find_lesions(found, case.lesion, affine, threshold),
        anomaly_score=scoring.anomaly_score(case.volume.with_voxels(found), case.brain_mask),
        seconds=seconds,
        average_precision=own.average_precision if own else float("nan"),
        best_dice=own.best_dice if own else float("nan"),
        found_ml=_reported_ml(case, found, threshold, within=case.lesion),
        elsewhere_ml=_reported_ml(case, found, threshold, within=~case.lesion),
    )


def _reported_ml(case: Case, found: Voxels, threshold: float, *, within: Mask) -> float:
    if math.isnan(threshold):
        return float("nan")
    return detection.reported_ml(found, case.brain_mask & within, case.volume.affine, threshold)


def _line(case: Case, results: Sequence[MethodResults]) -> str:
    figures = ", ".join(f"{those.method} {those.cases[-1].average_precision:.3f}" for those in results)
    return f"{case.name} ({results[0].cases[-1].lesion_ml:.1f} mL): AP {figures}"
