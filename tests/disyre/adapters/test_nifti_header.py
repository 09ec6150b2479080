"""What a NIfTI header says of where and how large a scan is."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from disyre.adapters.nifti import read_nifti
from disyre.types import Affine
from tests.nifti_files import nifti_bytes, write_bytes

OBLIQUE = np.array([[0.9, -0.2, 0.3, -80], [0.2, 1.0, -0.3, -100], [-0.1, 0.2, 2.0, -50], [0, 0, 0, 1.0]])
"""Its axes are 2 degrees from a right angle."""


def test_the_sform_goes_before_the_qform(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), None)
    image.header.set_qform(np.diag([2.0, 2, 2, 1]), code=1)
    image.header.set_sform(OBLIQUE, code=4)

    volume = read_nifti(write_bytes(tmp_path, image.to_bytes()))

    np.testing.assert_array_equal(volume.affine[:3], OBLIQUE[:3].astype(np.float32))


def test_the_qform_is_used_where_there_is_no_sform(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), None)
    image.header.set_qform(np.diag([-2.0, 2, 3, 1]), code=1)

    volume = read_nifti(write_bytes(tmp_path, image.to_bytes()))

    np.testing.assert_allclose(volume.affine, np.diag([-2.0, 2, 3, 1]), atol=1e-6)


def test_a_missing_orientation_is_warned_of(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, nifti_bytes(sform_code=0, qform_code=0))
    warnings: list[str] = []

    volume = read_nifti(path, on_warning=warnings.append)

    (warning,) = warnings
    assert "left and right, front and back, up and down may be swapped" in warning
    np.testing.assert_array_equal(volume.affine, nib.Nifti1Image.from_bytes(path.read_bytes()).affine)


@pytest.mark.parametrize(
    ("sform", "qform", "form"),
    [(1, 0, "sform"), (5, 0, "sform"), (1, -1, "sform"), (1, 6, "sform"), (0, 5, "qform")],
)
def test_the_first_position_with_a_code_is_taken_whatever_the_code_of_the_other_is(
    tmp_path: Path, sform: int, qform: int, form: str
) -> None:
    path = write_bytes(tmp_path, nifti_bytes(sform_code=sform, qform_code=qform))
    forms: list[str] = []
    warnings: list[str] = []

    volume = read_nifti(path, on_form=forms.append, on_warning=warnings.append)

    assert (forms, warnings) == ([form], [])
    np.testing.assert_array_equal(volume.affine, nib.Nifti1Image.from_bytes(path.read_bytes()).affine)


@pytest.mark.parametrize("image_class", [nib.Nifti1Image, nib.Nifti2Image])
def test_voxels_whose_place_the_header_does_not_say_are_read_right_behind_it_with_a_warning(
    tmp_path: Path, image_class: Any
) -> None:
    path = write_bytes(tmp_path, nifti_bytes(image_class=image_class, vox_offset=0))
    warnings: list[str] = []

    volume = read_nifti(path, on_warning=warnings.append)

    (warning,) = warnings
    assert "does not say where in the file the voxels begin" in warning
    np.testing.assert_array_equal(volume.voxels, np.arange(60).reshape(3, 4, 5))


@pytest.mark.parametrize("signs", [(-1, -1, -1), (1, -1, 1), (-1, 1, 1)])
def test_without_an_orientation_the_sign_of_the_spacing_means_nothing(
    tmp_path: Path, signs: tuple[int, int, int]
) -> None:
    pixdim = [1, *np.multiply((1.82, 1.82, 3), signs), 1, 1, 1, 1]

    volume = read_nifti(write_bytes(tmp_path, nifti_bytes(sform_code=0, qform_code=0, pixdim=pixdim)))

    assert volume.orientation == "LAS"
    assert volume.spacing_mm == pytest.approx((1.82, 1.82, 3))


@pytest.mark.parametrize(("unit", "length"), [("meter", 0.002), ("mm", 2), ("micron", 2000), ("unknown", 2)])
@pytest.mark.parametrize("form", ["sform", "qform", "none"])
def test_the_unit_of_the_header_is_applied(tmp_path: Path, unit: str, length: float, form: str) -> None:
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), None)
    image.header.set_zooms([length] * 3)
    image.header.set_xyzt_units(unit)
    affine = np.diag([-length, length, length, 1])
    affine[:3, 3] = 10 * length
    image.set_sform(affine if form == "sform" else None, code=int(form == "sform"))
    image.set_qform(affine if form == "qform" else None, code=int(form == "qform"))
    forms: list[str] = []

    volume = read_nifti(write_bytes(tmp_path, image.to_bytes()), on_form=forms.append)

    assert volume.spacing_mm == pytest.approx((2, 2, 2))
    assert forms == [form]
    if form != "none":
        np.testing.assert_allclose(volume.affine[:3, 3], 20, rtol=1e-6)


@pytest.mark.parametrize(("shear", "n_warnings"), [(1e-4, 0), (0.01, 1), (0.05, 1)])
def test_a_little_shear_is_kept_with_a_warning(tmp_path: Path, shear: float, n_warnings: int) -> None:
    affine = np.eye(4)
    affine[0, 2] = shear
    warnings: list[str] = []

    volume = read_nifti(write_bytes(tmp_path, nifti_bytes(affine=affine)), on_warning=warnings.append)

    np.testing.assert_array_equal(volume.affine, affine.astype(np.float32))
    assert len(warnings) == n_warnings
    assert all("degrees from a right angle" in warning for warning in warnings)


@pytest.mark.parametrize("pixdim", [0.0, -2.0, np.nan, 1e30])
def test_a_sform_needs_no_pixdim(tmp_path: Path, pixdim: float) -> None:
    path = write_bytes(tmp_path, nifti_bytes(affine=OBLIQUE, pixdim=pixdim))

    np.testing.assert_array_equal(read_nifti(path).affine[:3], OBLIQUE[:3].astype(np.float32))


@pytest.mark.parametrize("qfac", [-1.0, 0.0, 1.0])
def test_the_sign_of_the_third_axis_of_a_qform_is_that_of_its_pixdim_of_0(
    tmp_path: Path, qfac: float
) -> None:
    pixdim = [qfac, 2, 2, 3, 1, 1, 1, 1]
    content = nifti_bytes(sform_code=0, qform_code=1, quatern_b=0, quatern_c=0, quatern_d=0, pixdim=pixdim)

    volume = read_nifti(write_bytes(tmp_path, content))

    np.testing.assert_array_equal(volume.affine[:3, :3], np.diag([2, 2, -3 if qfac < 0 else 3]))


@pytest.mark.parametrize(("moved_mm", "n_warnings"), [(0.9, 0), (1.5, 1)])
def test_a_sform_and_a_qform_that_disagree_are_warned_of_and_the_sform_is_taken(
    tmp_path: Path, moved_mm: float, n_warnings: int
) -> None:
    path = write_bytes(tmp_path, nifti_bytes(qform_code=1, qoffset_x=moved_mm))
    warnings: list[str] = []

    volume = read_nifti(path, on_warning=warnings.append)

    assert volume.affine[0, 3] == 0
    assert len(warnings) == n_warnings
    assert all("1.5 mm apart" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("qform", "said"),
    [
        (np.diag([-1.0, 1, 1, 1]), "mm apart and disagree on left and right; the sform was taken"),
        (np.diag([1.0, -1, 1, 1]), "mm apart and disagree on front and back; the sform"),
        (np.diag([-1.0, 1, -1, 1]), "mm apart and disagree on left and right, and on up and down; the sform"),
        (
            np.eye(4)[[1, 0, 2, 3]],
            "name the scan's axes differently (RAS in the sform, ARS in the qform); the sform",
        ),
        (np.eye(4) + np.eye(4, k=3) * 5, "5.0 mm apart; the sform was taken"),
    ],
)
def test_a_sform_and_a_qform_that_disagree_on_a_direction_say_on_which(
    tmp_path: Path, qform: Affine, said: str
) -> None:
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), None)
    image.header.set_sform(np.eye(4), code=1)
    image.header.set_qform(qform, code=1)
    warnings: list[str] = []

    volume = read_nifti(write_bytes(tmp_path, image.to_bytes()), on_warning=warnings.append)

    (warning,) = warnings
    assert said in warning
    np.testing.assert_array_equal(volume.affine, np.eye(4))


@pytest.mark.parametrize("fields", [{"quatern_b": 9.0}, {"qoffset_x": np.nan}, {"pixdim": [1, 0] + [1] * 6}])
def test_a_qform_that_is_not_taken_need_not_be_valid(tmp_path: Path, fields: dict[str, Any]) -> None:
    path = write_bytes(tmp_path, nifti_bytes(qform_code=1, **fields))
    warnings: list[str] = []

    read_nifti(path, on_warning=warnings.append)

    assert warnings == ["the header's qform is not valid; its sform was taken"]
