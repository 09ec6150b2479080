"""Public data sets under the names that training and evaluation read: a folder of links, a folder a scan.

    python -m model_export.cohorts ixi IXI-T1 cohorts/ixi
    python -m model_export.cohorts brats2020 MICCAI_BraTS2020_TrainingData cohorts/brats2020

The lists of the papers are rules and names on top: `--first` keeps a share of the scans by name, `--split`
leaves out what a split file excludes. docs/training.md says which list is which.
"""

import argparse
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from disyre.errors import DisyreError, InvalidInput
from model_export.evaluation.case_files import LAYOUT_FILE
from model_export.split_file import few, read_split, roles_of

Files: TypeAlias = dict[str, Path]
"""Of one scan: by what they are, such as T1w or lesion."""


@dataclass(frozen=True)
class Layout:
    """What the files of a data set are called, without `.nii[.gz]`: a group `name`, and what follows it."""

    name: str
    """Of the data set, as reports have it."""
    kinds: Mapping[str, str]
    """T1w, T2w, FLAIR, lesion -> regular expression."""

    def find(self, source: Path) -> dict[str, Files]:
        """All files below a folder that fit, by scan."""
        found: dict[str, Files] = defaultdict(dict)
        expected = {kind: re.compile(rf"{pattern}\.nii(\.gz)?") for kind, pattern in self.kinds.items()}
        for path in sorted(source.rglob("*.nii*")):
            for kind, pattern in expected.items():
                if match := pattern.fullmatch(path.name):
                    found[match["name"]][kind] = path
        return dict(sorted(found.items()))


_IXI: Final = r"(?P<name>IXI\d+-[A-Za-z]+-\d+)"
_BRATS: Final = r"(?P<name>BraTS20_Training_\d+)"
_ATLAS: Final = r"(?P<name>sub-\w+_ses-\d+)_space-MNI152NLin2009aSym"
COHORTS: Final[Mapping[str, Layout]] = {
    "ixi": Layout("IXI", {"T1w": rf"{_IXI}-T1", "T2w": rf"{_IXI}-T2"}),
    "brats2020": Layout(
        "BraTS 2020",
        {
            "T1w": rf"{_BRATS}_t1",
            "T2w": rf"{_BRATS}_t2",
            "FLAIR": rf"{_BRATS}_flair",
            "lesion": rf"{_BRATS}_seg",
        },
    ),
    "atlas2": Layout(
        "ATLAS v2.0", {"T1w": rf"{_ATLAS}_T1w", "lesion": rf"{_ATLAS}_label-L_desc-T1lesion_mask"}
    ),
}
"""IXI, BraTS 2020 (training part), ATLAS v2.0 (public part), as their owners name the files."""


def select(scans: Mapping[str, Files], *, first: float = 1.0, split: Path | None = None) -> dict[str, Files]:
    """The first share of the scans by name, without those that a split file excludes.

    Raises InvalidInput if the split file names a scan that there is not.
    """
    roles = {} if split is None else roles_of(list(scans), {"*": "train", **read_split(split)})
    names = [name for name in sorted(scans)[: int(first * len(scans))] if roles.get(name) != "exclude"]
    return {name: scans[name] for name in names}


def link(scans: Mapping[str, Files], masks: Mapping[str, Path], to: Path, *, name: str) -> None:
    """Make a folder for each scan, with links `<name>_<kind>.nii[.gz]`, and to its mask if it has one.

    `name` is what reports call them all. The folder of all is there once it is whole.
    """
    partial = to.with_name(f"{to.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / LAYOUT_FILE).write_text(f'name = "{name}"\n', encoding="utf-8")
    for scan, files in scans.items():
        folder = partial / scan
        folder.mkdir()
        for kind, path in {**files, **({"brainmask": masks[scan]} if scan in masks else {})}.items():
            (folder / f"{scan}_{kind}{_ending(path)}").symlink_to(path.resolve())
    partial.replace(to)


def find_masks(folder: Path | None) -> dict[str, Path]:
    """The files `<name>_brainmask.nii[.gz]` below a folder, by name."""
    paths = [] if folder is None else sorted(folder.rglob("*_brainmask.nii*"))
    return {path.name.split("_brainmask.")[0]: path for path in paths}


def _complete(layout: Layout, source: Path) -> dict[str, Files]:
    """The scans below a folder; each has a lesion mask if the data set has them."""
    scans = layout.find(source)
    if not scans:
        kinds = ", ".join(layout.kinds)
        raise InvalidInput(f"expected {kinds} files below {source}, named as their owners do, found none")
    if "lesion" in layout.kinds:
        scans = {name: files for name, files in scans.items() if set(files) != {"lesion"}}
        if without := [name for name, files in scans.items() if "lesion" not in files]:
            raise InvalidInput(f"expected a lesion mask of every scan, found none of {few(without)}")
    return scans


def _ending(path: Path) -> str:
    return ".nii.gz" if path.name.endswith(".gz") else ".nii"


def make_parser() -> argparse.ArgumentParser:
    """The options of this program."""
    parser = argparse.ArgumentParser(prog="python -m model_export.cohorts", description=__doc__)
    parser.add_argument("cohort", choices=COHORTS)
    parser.add_argument("source", type=Path, help="folder of the data set, as it was unpacked")
    parser.add_argument("to", type=Path, help="new folder for the links")
    parser.add_argument("--masks", type=Path, help="folder of brain masks, <name>_brainmask.nii.gz")
    parser.add_argument("--first", type=float, default=1.0, metavar="SHARE", help="by name; 1 is all")
    parser.add_argument("--split", type=Path, help="JSON or TSV; what it excludes is left out")
    return parser


def main(argv: Sequence[str]) -> int:
    """Make the links; returns the exit status."""
    options = make_parser().parse_args(argv)
    try:
        if options.to.exists():
            raise InvalidInput("expected a new folder for the links, got one that exists")
        layout = COHORTS[options.cohort]
        scans = select(_complete(layout, options.source), first=options.first, split=options.split)
        masks = find_masks(options.masks)
        link(scans, masks, options.to, name=layout.name)
    except DisyreError as error:
        sys.stderr.write(f"cohorts: {error}\n")
        return 2
    sys.stdout.write(f"{options.cohort}: {len(scans)} scans, {len(masks.keys() & scans)} brain masks\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
