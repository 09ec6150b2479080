"""What tells slices with lesion from others: the lesion, or how much brain a slice has, and where it lies?

    scripts/run dev python benchmarks/slice_scores.py CASES

CASES is a folder of cases as `disyre evaluate --cases` reads it. For each, and for the newest model of each
modality beside the simple methods: AUROC of slices by the mean of their 100 highest pixels, as in reports;
the same without the lesion's own pixels; the same among slices with at least half as much brain as the
largest; and which shares of the highest quarter of the slices without lesion lie at the base and at the top.
First comes the AUROC of nothing but the brain's area.
"""

import argparse
import json
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64, Int64

from disyre import geometry
from disyre.modality import MODALITIES, Modality
from disyre.types import Voxels
from model_export.evaluation.baselines import baselines
from model_export.evaluation.case_files import find_cases
from model_export.evaluation.cases import Case, read_case
from model_export.evaluation.detection import score_slices
from model_export.evaluation.method import Method
from model_export.evaluation.metrics import Scores, Separation, auroc
from model_export.evaluation.model import Model

MODELS: Final = Path(__file__).parents[1] / "models"
_LARGE: Final = 0.5
"""Of the largest slice's brain."""
_BASE: Final = 0.2
_TOP: Final = 0.9
"""Shares of the slices with brain, from the feet up, below and above which is the base and the top."""


def newest(modality: Modality) -> Model:
    """The newest package of a modality that ships."""
    folders = [path for path in (MODELS / modality.lower()).iterdir() if path.is_dir()]
    return Model.load(max(folders, key=lambda path: int(path.name)), threads=0)


def figures(case: Case, method: Method) -> dict[str, float]:
    """Of one method in one case."""
    found = method.map_of(case)
    top, has_lesion = _scores(case, found)
    without, _ = _scores(case, np.where(case.lesion, np.float32(0), found))
    area = areas(case)
    large = area >= _LARGE * area.max()
    place = np.linspace(0, 1, len(area))[~has_lesion]
    highest = place[np.argsort(-top[~has_lesion])][: max(1, len(place) // 4)]
    return {
        "auroc": auroc(Separation.of(top, has_lesion)),
        "without_the_lesions_pixels": auroc(Separation.of(without, has_lesion)),
        "among_large_slices": auroc(Separation.of(top[large], has_lesion[large])),
        "highest_at_the_base": float((highest < _BASE).mean()),
        "highest_at_the_top": float((highest > _TOP).mean()),
    }


def _scores(case: Case, found: Voxels) -> tuple[Scores, Bool[np.ndarray, " slice"]]:
    """Of the slices with brain, from the feet up."""
    scored = score_slices(found, case.lesion, case.brain_mask, case.volume.affine)
    _, sign = _axis(case)
    return scored.top[::sign], scored.has_lesion[::sign]


def areas(case: Case) -> Float64[np.ndarray, " slice"]:
    """Pixels of brain in each slice that has any, from the feet up."""
    axis, sign = _axis(case)
    counted: Int64[np.ndarray, " slice"] = np.moveaxis(case.brain_mask, axis, 0).sum(axis=(1, 2))
    return counted[counted > 0][::sign].astype(np.float64)


def _axis(case: Case) -> tuple[int, int]:
    """The axis from foot to head, and 1 or -1 if it runs down."""
    axes, signs = geometry.axes_to_ras(case.volume.affine)
    return int(axes[2]), int(signs[2])


def main() -> None:
    """Print a line for each case and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    folder = parser.parse_args().cases
    for modality in MODALITIES:
        for case in map(read_case, find_cases(folder, modality).cases):
            about = {"modality": modality, "case": case.name}
            _, has_lesion = _scores(case, np.zeros(case.volume.shape, dtype=np.float32))
            by_area = auroc(Separation.of(areas(case).astype(np.float32), has_lesion))
            print(json.dumps({**about, "method": "area of the brain", "auroc": round(by_area, 3)}))
            for method in (newest(modality).method(), *baselines(modality)):
                found = {name: round(value, 3) for name, value in figures(case, method).items()}
                print(json.dumps({**about, "method": method.name, **found}))


if __name__ == "__main__":
    main()
