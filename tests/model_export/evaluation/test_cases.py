"""Cases that are read from a folder."""

from pathlib import Path

import numpy as np
import pytest

from disyre.adapters.nifti_write import write_nifti
from disyre.errors import InvalidInput
from disyre.modality import Modality
from disyre.volume import Volume
from model_export.evaluation.cases import Case, read_healthy
from model_export.phantom import make_phantom
from tests.builders import make_volume
from tests.model_export.evaluation.reading import read_cases
from tests.real_data import real_data


def write_case(folder: Path, volume: Volume, *, scan: str = "T1w", lesion: str = "lesion") -> None:
    folder.mkdir(parents=True)
    mask = np.zeros(volume.shape, dtype=np.float32)
    mask[18:22, 20:25, 15:20] = 2
    write_nifti(folder / f"{scan}.nii.gz", volume)
    write_nifti(folder / f"{lesion}.nii.gz", volume.with_voxels(mask))


def test_cases_are_folders_with_a_scan_and_a_lesion_whatever_their_prefix(tmp_path: Path) -> None:
    write_case(tmp_path / "one", make_volume())
    write_case(tmp_path / "deeper" / "two", make_volume(), scan="two_T1w", lesion="two_lesion_silver")
    (tmp_path / "empty").mkdir()

    cases = list(read_cases(tmp_path, "T1w"))

    assert [case.name for case in cases] == ["deeper/two", "one"]
    assert all(np.count_nonzero(case.lesion) == 100 for case in cases)


def test_a_layout_file_names_files_of_other_names(tmp_path: Path) -> None:
    write_case(tmp_path / "a", make_volume(), scan="a_t1", lesion="a_seg")
    (tmp_path / "cases.toml").write_text('scan = ["*_{short}.nii*"]\nlesion = ["*_seg.nii*"]\n')

    assert [case.name for case in read_cases(tmp_path, "T1w")] == ["a"]


def test_a_layout_file_with_unknown_keys_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cases.toml").write_text('scans = ["*_t1.nii*"]\n')
    with pytest.raises(InvalidInput, match=r"cases\.toml"):
        list(read_cases(tmp_path, "T1w"))


def test_a_scan_whose_mean_is_0_is_shifted_so_that_its_background_is_0(tmp_path: Path) -> None:
    volume = make_volume()
    scored = volume.with_voxels((volume.voxels - np.float32(30)) / np.float32(20))
    write_case(tmp_path / "a", scored)

    (case,) = read_cases(tmp_path, "T1w")

    assert (case.volume.voxels[~case.brain_mask] == 0).all()
    assert case.volume.voxels[case.brain_mask].min() > 0


def test_the_brain_mask_beside_a_scan_is_used(tmp_path: Path) -> None:
    write_case(tmp_path / "a", make_volume())
    given = np.zeros(make_volume().shape, dtype=np.float32)
    given[10:32, 10:32, 10:32] = 1
    write_nifti(tmp_path / "a" / "brainmask.nii.gz", make_volume().with_voxels(given))

    (case,) = read_cases(tmp_path, "T1w")

    np.testing.assert_array_equal(case.brain_mask, given > 0)


def test_a_lesion_on_another_grid_is_refused(tmp_path: Path) -> None:
    write_case(tmp_path / "a", make_volume())
    write_nifti(tmp_path / "a" / "lesion.nii.gz", make_volume((20, 20, 20)))
    with pytest.raises(InvalidInput, match=r"^lesion\.nii\.gz: expected a mask of the scan's shape"):
        list(read_cases(tmp_path, "T1w"))


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="T2w scan and a lesion mask"):
        list(read_cases(tmp_path, "T2w"))


def test_healthy_scans_are_found_by_name_or_by_folder(tmp_path: Path) -> None:
    (tmp_path / "kirby").mkdir()
    for name in ("sub-1_T2w", "sub-2_T2w", "sub-2_T1w", "kirby/T2w"):
        write_nifti(tmp_path / f"{name}.nii.gz", make_volume())

    assert [scan.name for scan in read_healthy([tmp_path], "T2w")] == ["kirby", "sub-1", "sub-2"]
    assert [scan.name for scan in read_healthy([tmp_path], "T2w", ["sub-2"])] == ["sub-2"]
    folders = [tmp_path / "kirby", tmp_path]
    assert [scan.name for scan in read_healthy(folders, "T2w", ["kirby", "sub-2"])] == ["kirby", "sub-2"]
    with pytest.raises(InvalidInput, match=r"FLAIR scans below .*, found none$"):
        read_healthy([tmp_path], "FLAIR")
    with pytest.raises(InvalidInput, match="found none of sub-9"):
        read_healthy([tmp_path], "T2w", ["sub-9"])


def test_the_mask_beside_a_healthy_scan_is_used(tmp_path: Path) -> None:
    given = np.zeros(make_volume().shape, dtype=np.float32)
    given[10:32, 10:32, 10:32] = 1
    write_nifti(tmp_path / "sub-1_T1w.nii.gz", make_volume())
    write_nifti(tmp_path / "sub-1_brainmask.nii.gz", make_volume().with_voxels(given))

    (scan,) = read_healthy([tmp_path], "T1w")

    np.testing.assert_array_equal(scan.brain_mask, given > 0)


def test_a_healthy_case_has_no_lesion() -> None:
    case = Case.healthy(make_phantom(1))
    assert case.brain_mask.any()
    assert not case.lesion.any()


@pytest.mark.parametrize(
    ("modality", "names"),
    [
        ("T1w", ["glioma_FG-6692", "ms_patient07"]),
        ("FLAIR", ["glioma_FG-6692", "glioma_brats2013_0005", "glioma_brats2013_0006", "ms_patient07"]),
    ],
)
def test_the_real_cases_are_found_as_they_lie_there(modality: Modality, names: list[str]) -> None:
    assert [case.name for case in read_cases(real_data("lesion"), modality)] == names
