"""Makes docs/images/lesions.png: real lesions, outlined, beside the maps of what ships and of simple methods.

scripts/run dev python scripts/make_lesion_pictures.py CASES

CASES is a folder of cases as `disyre evaluate --cases` reads it, with those that are named below.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from sklearn.metrics import average_precision_score

from disyre import scoring
from disyre.modality import Modality
from disyre.types import Voxels
from model_export.evaluation.baselines import baselines
from model_export.evaluation.case_files import find_cases
from model_export.evaluation.cases import Case, read_case
from model_export.evaluation.model import Model
from model_export.evaluation.pictures import Exhibit, draw_exhibits, show

ROOT: Final = Path(__file__).parents[1]
_SHOWN: Final[tuple[tuple[Modality, str], ...]] = (
    ("FLAIR", "glioma_FG-6692"),
    ("FLAIR", "ms_patient07"),
    ("T2w", "glioma_FG-6692"),
    ("T1w", "glioma_FG-6692"),
)
_ELSEWHERE: Final[Modality] = "T1w"
"""Of this modality there is a second row: the slice in which most is marked beside the lesion."""
_METHODS: Final = ("map", "intensity, equalised", "|x − median(x)|")
_TOP: Final = 4.0
"""Thresholds that the brightest colour of a map stands for, as in a preview."""


def newest(modality: Modality) -> Model:
    """The newest package of a modality that ships."""
    folder = ROOT / "models" / modality.lower()
    version = max((path for path in folder.iterdir() if path.is_dir()), key=lambda path: int(path.name))
    return Model.load(version, threads=1)


def exhibits(case: Case, modality: Modality) -> Iterator[tuple[Exhibit, dict[str, str]]]:
    """Rows of the picture, and what is written above their maps."""
    model = newest(modality)
    threshold = model.manifest.calibration.threshold
    methods = [model.method(), *baselines(modality)]
    maps: dict[str, Voxels] = dict(zip(_METHODS, (method.map_of(case) for method in methods), strict=True))
    captions = {
        name: _caption(method.name, name, case, found)
        for method, (name, found) in zip(methods, maps.items(), strict=True)
    }
    tops = {"map": _TOP * threshold}
    yield replace(show(case, maps), tops=tops), captions
    if modality == _ELSEWHERE:
        marked = (maps["map"] > threshold) & case.brain_mask & ~case.lesion
        row = show(case, maps, most_of=marked)
        elsewhere = scoring.mask_volume_ml(marked, case.volume.affine)
        title = f"{case.name}: the slice with most\nof the {elsewhere:.0f} mL that are marked falsely"
        yield replace(row, case=f"{case.name}, elsewhere", title=title, tops=tops), captions


def _caption(method: str, column: str, case: Case, found: Voxels) -> str:
    ap = average_precision_score(case.lesion[case.brain_mask], found[case.brain_mask])
    figure = f"AP {ap:.2f}" if ap >= 0.1 else f"AP {ap:.3f}"
    return figure if method == column else f"{method}: {figure}"


def main() -> None:
    """Draw and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    folder = parser.parse_args().cases
    rows, captions = [], {}
    for modality, name in _SHOWN:
        case = read_case(next(one for one in find_cases(folder, modality).cases if one.name == name))
        for row, written in exhibits(replace(case, name=f"{case.name}, {modality}"), modality):
            rows.append(row)
            captions[row.case] = written
    draw_exhibits(ROOT / "docs" / "images" / "lesions.png", rows, captions, _METHODS)


if __name__ == "__main__":
    main()
