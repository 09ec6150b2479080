"""Which files are taken for cases in a BIDS data set, and what `disyre evaluate` makes of them."""

from pathlib import Path

import numpy as np
import pytest

from disyre.adapters.nifti_write import write_nifti
from disyre.errors import InvalidInput
from disyre.types import Mask
from disyre.volume import Volume
from model_export.evaluation.case_files import find_cases
from model_export.evaluation.cases import read_healthy
from model_export.phantom import make_phantom
from tests.builders import make_volume
from tests.model_export.evaluation.reading import read_cases

RAW = "sub-{0}/ses-1/anat/sub-{0}_ses-1_T1w.nii.gz"
LESION = "derivatives/lesion_masks/sub-{0}/ses-1/anat/sub-{0}_ses-1_label-lesion_mask.nii.gz"
BRAIN = "derivatives/anyone/sub-{0}/ses-1/anat/sub-{0}_ses-1_desc-brain_mask.nii.gz"


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _write(path: Path, volume: Volume, mask: Mask | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, volume if mask is None else volume.with_voxels(mask.astype(np.float32)))


def test_raw_scans_of_a_bids_data_set_are_cases_with_the_masks_of_its_derivatives(tmp_path: Path) -> None:
    phantom = make_phantom(3)
    lesion = np.zeros_like(phantom.brain_mask)
    lesion[50:60, 60:70, 15:25] = True
    headed = phantom.volume.with_voxels(phantom.volume.voxels + np.float32(20))  # no background of one value
    headed = headed.with_voxels(headed.voxels + np.random.default_rng(1).random(headed.shape, np.float32))
    _write(tmp_path / RAW.format("01"), headed)
    _write(tmp_path / LESION.format("01"), phantom.volume, lesion)
    _write(tmp_path / BRAIN.format("01"), phantom.volume, phantom.brain_mask)
    _write(tmp_path / RAW.format("02"), headed)

    (case,) = read_cases(tmp_path, "T1w")

    assert case.name == "sub-01_ses-1"
    np.testing.assert_array_equal(case.lesion, lesion)
    np.testing.assert_array_equal(case.brain_mask, phantom.brain_mask)


def test_a_derived_lesion_mask_on_another_grid_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / RAW.format("01"), make_volume())
    _write(tmp_path / LESION.format("01"), make_volume((20, 20, 20)))

    with pytest.raises(InvalidInput, match=r"lesion_mask\.nii\.gz: expected a mask of the scan's shape"):
        list(read_cases(tmp_path, "T1w"))


def test_a_mask_beside_a_scan_belongs_to_that_scan_and_not_to_the_raw_one(tmp_path: Path) -> None:
    _touch(
        tmp_path,
        RAW.format("01"),
        LESION.format("01"),
        LESION.format("01").replace("label-lesion_mask", "desc-preproc_T1w"),
        RAW.format("02"),
        RAW.format("02").replace("T1w", "label-lesion_mask"),
        "derivatives/other/sub-02/ses-1/anat/sub-02_ses-1_label-lesion_mask.nii.gz",
    )

    names = [case.name for case in find_cases(tmp_path, "T1w").cases]

    assert names == ["derivatives/lesion_masks/sub-01/ses-1/anat", "sub-02/ses-1/anat"]


def test_several_derived_masks_of_a_scan_are_refused_until_a_pattern_says_which(tmp_path: Path) -> None:
    rater = "derivatives/raters/sub-01/ses-1/anat/sub-01_ses-1_desc-rater{}lesion_mask.nii.gz"
    _touch(tmp_path, RAW.format("01"), rater.format(1), rater.format(2))

    with pytest.raises(InvalidInput, match="one lesion mask of sub-01_ses-1, got 2"):
        find_cases(tmp_path, "T1w")

    (tmp_path / "cases.toml").write_text('lesion = ["*_desc-rater2lesion_mask.nii*"]\n')
    assert [case.lesion for case in find_cases(tmp_path, "T1w").cases] == [tmp_path / rater.format(2)]


def test_several_masks_in_the_folder_of_a_case_are_refused_until_a_pattern_says_which(tmp_path: Path) -> None:
    _touch(tmp_path, "c1/T1w.nii.gz", "c1/lesion.nii.gz", "c1/c1_lesion2.nii.gz")
    with pytest.raises(InvalidInput, match=r"one lesion in .*c1, got c1_lesion2\.nii\.gz, lesion\.nii\.gz"):
        find_cases(tmp_path, "T1w")

    (tmp_path / "cases.toml").write_text('lesion = ["lesion.nii*", "*lesion2.nii*"]\n')
    assert [case.lesion.name for case in find_cases(tmp_path, "T1w").cases] == ["lesion.nii.gz"]

    _touch(tmp_path, "c1/brainmask.nii.gz", "c1/c1_brainmask.nii.gz")
    with pytest.raises(InvalidInput, match=r"one brain mask in .*c1, got brainmask"):
        find_cases(tmp_path, "T1w")


def test_scans_without_a_lesion_mask_are_told_by_their_folders(tmp_path: Path) -> None:
    _touch(
        tmp_path, "c1/T1w.nii.gz", "c1/lesion.nii.gz", "c2/T1w.nii.gz", "c3/x_T1w.nii.gz", "c4/FLAIR.nii.gz"
    )

    assert find_cases(tmp_path, "T1w").without_lesion == ["c2", "c3"]


def test_raw_scans_of_a_bids_data_set_without_a_lesion_mask_are_told_and_not_what_is_derived_from_them(
    tmp_path: Path,
) -> None:
    derived = (
        LESION.format("01").replace("label-lesion_mask", "desc-preproc_T1w").replace("lesion_masks", "x")
    )
    _touch(tmp_path, RAW.format("01"), LESION.format("01"), RAW.format("02"), derived)

    assert find_cases(tmp_path, "T1w").without_lesion == ["sub-02/ses-1/anat"]


def test_a_case_that_is_given_itself_is_called_as_its_folder(tmp_path: Path) -> None:
    _touch(tmp_path, "c1/T1w.nii.gz", "c1/lesion.nii.gz")

    assert [case.name for case in find_cases(tmp_path / "c1", "T1w").cases] == ["c1"]


def test_a_mask_that_fits_two_scans_of_a_session_is_refused(tmp_path: Path) -> None:
    run = "sub-01/ses-1/anat/sub-01_ses-1_run-{}_T1w.nii.gz"
    _touch(tmp_path, run.format(1), run.format(2), LESION.format("01"))

    with pytest.raises(
        InvalidInput, match=r"one T1w scan, got one of both sub-01_ses-1_run-1 and sub-01_ses-1_"
    ):
        find_cases(tmp_path, "T1w")


def test_scans_without_a_lesion_mask_anywhere_are_no_cases(tmp_path: Path) -> None:
    _touch(tmp_path, RAW.format("01"), BRAIN.format("01"))

    with pytest.raises(InvalidInput, match=r"below derivatives/, found none"):
        find_cases(tmp_path, "T1w")


def test_of_a_bids_data_set_the_raw_scans_are_the_healthy_ones_and_their_masks_may_be_derived(
    tmp_path: Path,
) -> None:
    phantom = make_phantom(3)
    half = phantom.brain_mask.copy()
    half[:56] = False
    _write(tmp_path / RAW.format("01"), phantom.volume)
    _write(tmp_path / BRAIN.format("01"), phantom.volume, half)
    _touch(tmp_path, BRAIN.format("01").replace("desc-brain_mask", "desc-preproc_T1w"))

    (scan,) = read_healthy([tmp_path], "T1w")

    assert scan.name == "sub-01_ses-1"
    np.testing.assert_array_equal(scan.brain_mask, half)
