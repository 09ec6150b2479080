"""Which scans a run puts lesions into, to be validated by them."""

from pathlib import Path

import pytest
import torch

from disyre.adapters.nifti_write import write_nifti
from model_export import train
from model_export.lesion_slices import LesionSlices
from model_export.phantom import make_phantom
from model_export.run_folder import RunFolder


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """One healthy scan that a run does not know."""
    folder = tmp_path / "healthy"
    folder.mkdir()
    write_nifti(folder / "sub-9_T1w.nii.gz", make_phantom(9).volume)
    return folder


def prepared(out: Path, *options: str) -> LesionSlices:
    """The slices with lesions of a run that is made and not begun."""
    assert train.main(["--config", "smoke", "--prepare-only", "--out", str(out), *options]) == 0
    return LesionSlices.load(RunFolder(out).lesion_cache)


def test_lesions_are_put_into_the_scans_that_are_given_instead_of_those_held_back(
    shapes_folder: Path, scans: Path, tmp_path: Path
) -> None:
    shapes = ("--lesion-shapes", str(shapes_folder))

    held_back = prepared(tmp_path / "a", *shapes)
    given = prepared(tmp_path / "b", *shapes, "--lesion-scans", str(scans))

    assert held_back.lesion.any()
    assert given.lesion.any()
    assert int(given.case[-1]) == int(held_back.case[-1]) == 11
    # One scan under all lesions, not two in turn: what is outside of a lesion is the same in each case.
    first, second = (given.coded[given.case == n] for n in (0, 1))
    healthy = ~(given.lesion[given.case == 0] | given.lesion[given.case == 1])
    assert (first == second)[healthy].float().mean() > 0.99
    assert not torch.equal(given.coded, held_back.coded)
