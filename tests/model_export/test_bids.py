from pathlib import Path

import numpy as np
import pytest

from disyre.adapters.nifti_write import write_nifti
from disyre.errors import InvalidInput, MaskMismatch
from disyre.volume import Volume
from model_export.bids import find_brain_mask, find_derived
from model_export.dataset import find_scans, read_scan, scan_name
from model_export.phantom import make_phantom


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_of_a_bids_data_set_the_raw_scans_of_all_sessions_are_found(tmp_path: Path) -> None:
    _touch(
        tmp_path,
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-02/ses-b/anat/sub-02_ses-b_run-1_T1w.nii",
        "sub-02/ses-a/anat/sub-02_ses-a_T1w.nii.gz",
        "sub-02/ses-a/func/sub-02_ses-a_T1w.nii.gz",
        "sourcedata/sub-01/anat/sub-01_T1w.nii.gz",
        "derivatives/strip/sub-01/anat/sub-01_T1w.nii.gz",
    )

    names = [scan_name(path) for path in find_scans(tmp_path, "T1w")]

    assert names == ["sub-01", "sub-02_ses-a", "sub-02_ses-b_run-1"]


def test_a_folder_that_is_no_bids_data_set_is_searched_at_any_depth(tmp_path: Path) -> None:
    _touch(tmp_path, "a/b/x_T1w.nii.gz", "y_T1w.nii")

    assert [scan_name(path) for path in find_scans(tmp_path, "T1w")] == ["x", "y"]


@pytest.mark.parametrize(
    "mask",
    [
        "sub-01/ses-1/anat/sub-01_ses-1_brainmask.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_brainmask.nii",
        "sub-01/ses-1/anat/sub-01_ses-1_desc-brain_mask.nii.gz",
        "derivatives/fmriprep/sub-01/ses-1/anat/sub-01_ses-1_desc-brain_mask.nii.gz",
        "derivatives/strip/sub-01/ses-1/anat/sub-01_ses-1_space-orig_label-brain_mask.nii.gz",
        "derivatives/strip/sub-01/ses-1/anat/sub-01_ses-1_brainmask.nii.gz",
    ],
)
def test_a_mask_is_found_beside_a_scan_and_among_the_derivatives(mask: str, tmp_path: Path) -> None:
    scan = "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"
    _touch(
        tmp_path,
        scan,
        mask,
        "derivatives/fmriprep/sub-01/ses-1/anat/sub-01_ses-1_space-MNI152NLin6Asym_desc-brain_mask.nii.gz",
        "derivatives/fmriprep/sub-01/ses-1/anat/sub-01_ses-1_run-2_desc-brain_mask.nii.gz",
        "derivatives/fmriprep/sub-01/ses-1/anat/sub-01_ses-1_desc-aseg_mask.nii.gz",
        "derivatives/fmriprep/sub-02/ses-1/anat/sub-02_ses-1_desc-brain_mask.nii.gz",
    )

    assert find_brain_mask(tmp_path / scan, "sub-01_ses-1") == tmp_path / mask


def test_a_mask_beside_a_scan_goes_before_a_derivative(tmp_path: Path) -> None:
    _touch(
        tmp_path,
        "sub-01/anat/sub-01_brainmask.nii.gz",
        "derivatives/strip/sub-01/anat/sub-01_desc-brain_mask.nii.gz",
    )

    found = find_brain_mask(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz", "sub-01")

    assert found == tmp_path / "sub-01/anat/sub-01_brainmask.nii.gz"


def test_two_masks_of_one_scan_are_refused(tmp_path: Path) -> None:
    _touch(
        tmp_path,
        "sub-01/anat/sub-01_T1w.nii.gz",
        "derivatives/a/sub-01/anat/sub-01_desc-brain_mask.nii.gz",
        "derivatives/b/sub-01/anat/sub-01_desc-brain_mask.nii.gz",
    )

    with pytest.raises(InvalidInput, match="one brain mask of sub-01, got 2"):
        find_brain_mask(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz", "sub-01")


def test_a_derived_mask_is_the_brain_of_the_scan_and_has_to_lie_on_its_grid(tmp_path: Path) -> None:
    phantom = make_phantom(3)
    anat = tmp_path / "sub-01/anat"
    derived = tmp_path / "derivatives/strip/sub-01/anat"
    for folder in (anat, derived):
        folder.mkdir(parents=True)
    half = phantom.brain_mask.copy()
    half[:56] = False
    mask = phantom.volume.with_voxels(half.astype(np.float32))
    write_nifti(anat / "sub-01_T1w.nii.gz", phantom.volume)
    write_nifti(derived / "sub-01_desc-brain_mask.nii.gz", mask)

    scan = read_scan(anat / "sub-01_T1w.nii.gz")

    np.testing.assert_array_equal(scan.brain_mask, half)

    write_nifti(derived / "sub-01_desc-brain_mask.nii.gz", Volume(mask.voxels, np.diag([2.0, 2.0, 2.0, 1.0])))
    with pytest.raises(MaskMismatch):
        read_scan(anat / "sub-01_T1w.nii.gz")


@pytest.mark.parametrize(
    "mask",
    [
        "derivatives/lesion_masks/sub-01/ses-1/anat/sub-01_ses-1_label-lesion_mask.nii.gz",
        "derivatives/raters/sub-01/ses-1/anat/sub-01_ses-1_run-1_space-orig_desc-T1lesion_mask.nii",
        "derivatives/raters/sub-01/ses-1/sub-01_ses-1_acq-fast_run-1_T1w_lesion.nii.gz",
        "derivatives/sub-01/ses-1/anat/sub-01_ses-1_space-T1w_label-lesion_roi.nii.gz",
        "derivatives/masks/sub-01_ses-1_label-lesion_mask.nii.gz",
    ],
)
def test_a_derived_file_is_of_the_scan_whose_subject_session_entities_and_space_it_has(
    mask: str, tmp_path: Path
) -> None:
    scan = "sub-01/ses-1/anat/sub-01_ses-1_acq-fast_run-1_T1w.nii.gz"
    _touch(
        tmp_path,
        scan,
        mask,
        "derivatives/a/sub-01/ses-2/anat/sub-01_ses-2_label-lesion_mask.nii.gz",
        "derivatives/a/sub-01/anat/sub-01_label-lesion_mask.nii.gz",
        "derivatives/a/sub-01/ses-1/anat/sub-01_ses-1_run-2_label-lesion_mask.nii.gz",
        "derivatives/a/sub-01/ses-1/anat/sub-01_ses-1_rec-x_label-lesion_mask.nii.gz",
        "derivatives/a/sub-01/ses-1/anat/sub-01_ses-1_space-MNI152NLin6Asym_label-lesion_mask.nii.gz",
        "derivatives/a/sub-01/ses-1/anat/sub-01_ses-1_space-FLAIR_label-lesion_mask.nii.gz",
        "derivatives/a/sub-01/ses-1/anat/sub-01_ses-1_FLAIR_label-lesion_mask.nii.gz",
        "derivatives/a/sub-01/ses-1/anat/sub-01_ses-1_desc-brain_mask.nii.gz",
        "derivatives/a/sub-010/ses-1/anat/sub-010_ses-1_label-lesion_mask.nii.gz",
    )

    found = find_derived(tmp_path / scan, "T1w", ("*_lesion*", "*_label-lesion*", "*_desc-*lesion*"))

    assert found == [tmp_path / mask]


def test_a_scan_that_is_of_no_subject_has_nothing_derived_from_it(tmp_path: Path) -> None:
    assert find_derived(tmp_path / "T1w.nii.gz", "T1w", ("*",)) == []
