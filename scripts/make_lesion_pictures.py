"""Makes docs/images/lesions.png: real lesions, outlined, beside the maps of what ships and of simple methods.

scripts/run dev python scripts/make_lesion_pictures.py CASES

CASES is a folder of cases as `disyre evaluate --cases` reads it, with those that are named below.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Final

from sklearn.metrics import average_precision_score

from disyre.modality import Modality
from disyre.types import Voxels
from model_export.evaluation.baselines import baselines
from model_export.evaluation.cases import Case, read_cases
from model_export.evaluation.model import Model
from model_export.evaluation.pictures import Exhibit, draw_exhibits, show

ROOT: Final = Path(__file__).parents[1]
_SHOWN: Final[tuple[tuple[Modality, str], ...]] = (
    ("FLAIR", "glioma_FG-6692"),
    ("FLAIR", "ms_patient07"),
    ("T2w", "glioma_FG-6692"),
    ("T1w", "glioma_FG-6692"),
)
_METHODS: Final = ("map", "intensity, equalised", "|x − median(x)|")


def newest(modality: Modality) -> Model:
    """The newest package of a modality that ships."""
    folder = ROOT / "models" / modality.lower()
    version = max((path for path in folder.iterdir() if path.is_dir()), key=lambda path: int(path.name))
    return Model.load(version, threads=1)


def exhibit(case: Case, modality: Modality) -> tuple[Exhibit, dict[str, str]]:
    """A row of the picture, and what is written above its maps."""
    model = newest(modality)
    methods = [model.method(), *baselines(modality)]
    maps: dict[str, Voxels] = dict(zip(_METHODS, (method.map_of(case) for method in methods), strict=True))
    captions = {}
    for method, (name, found) in zip(methods, maps.items(), strict=True):
        inside = case.brain_mask
        ap = average_precision_score(case.lesion[inside], found[inside])
        captions[name] = f"AP {ap:.2f}" if method.name == name else f"{method.name}: AP {ap:.2f}"
    return show(case, maps), captions


def main() -> None:
    """Draw and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    folder = parser.parse_args().cases
    exhibits, captions = [], {}
    for modality, name in _SHOWN:
        case = next(case for case in read_cases(folder, modality) if case.name == name)
        row, written = exhibit(replace(case, name=f"{case.name}, {modality}"), modality)
        exhibits.append(row)
        captions[row.case] = written
    draw_exhibits(ROOT / "docs" / "images" / "lesions.png", exhibits, captions, _METHODS)


if __name__ == "__main__":
    main()
