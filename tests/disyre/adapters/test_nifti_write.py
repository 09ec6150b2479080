"""NIfTI that is written, with nibabel as the oracle."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from disyre.adapters.nifti import read_nifti
from disyre.adapters.nifti_write import write_nifti
from disyre.types import Affine
from disyre.volume import Volume
from tests.builders import make_volume
from tests.nifti_files import nifti_bytes, write_bytes
from tests.strategies import affines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nifti")


@given(
    voxels=arrays(np.float32, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.floats(width=32)),
    affine=affines(),
)
def test_what_is_written_is_read_again_exactly(
    folder: Path, voxels: npt.NDArray[np.float32], affine: Affine
) -> None:
    voxels = np.nan_to_num(voxels, posinf=0, neginf=0)
    path = folder / "written.nii.gz"

    write_nifti(path, Volume(voxels, affine))

    volume, image = read_nifti(path), nib.Nifti1Image.from_filename(path)
    np.testing.assert_array_equal(volume.voxels, voxels)
    np.testing.assert_array_equal(volume.affine[:3], affine[:3].astype(np.float32))
    np.testing.assert_array_equal(image.get_fdata(dtype=np.float32), voxels)
    assert image.header["sform_code"] == 2
    if image.header["qform_code"] != 0:  # near half a turn, a quaternion of float32 cannot say the same
        assert image.header["qform_code"] == 2
        apart_mm = np.abs(image.header.get_qform() - affine) @ [*voxels.shape, 1.0]
        assert apart_mm.max() < 0.0101
    assert image.header.get_zooms() == pytest.approx(volume.spacing_mm)


def test_a_sheared_affine_is_kept_in_the_sform_alone(tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[0, 1] = 0.04

    write_nifti(tmp_path / "a.nii.gz", make_volume(affine=affine))

    header = nib.Nifti1Image.from_filename(tmp_path / "a.nii.gz").header
    assert (header["sform_code"], header["qform_code"]) == (2, 0)
    np.testing.assert_array_equal(read_nifti(tmp_path / "a.nii.gz").affine, affine.astype(np.float32))


@pytest.mark.parametrize(("shear", "code"), [(1e-5, 2), (1e-3, 0)])
def test_the_qform_is_there_if_it_puts_all_voxels_where_the_sform_does(
    tmp_path: Path, shear: float, code: int
) -> None:
    affine = np.diag([2.0, 1.0, 3.0, 1.0])
    affine[0, 1] = shear

    write_nifti(tmp_path / "a.nii.gz", make_volume(affine=affine))

    header = nib.Nifti1Image.from_filename(tmp_path / "a.nii.gz").header
    assert header["qform_code"] == code
    assert header.get_zooms() == pytest.approx((2, 1, 3), abs=1e-4)


def test_equal_volumes_give_equal_bytes_whatever_the_file_is_called(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(tmp_path / name, make_volume())

    content = (tmp_path / "a.nii.gz").read_bytes()
    assert content == (tmp_path / "b.nii.gz").read_bytes()
    assert content[4:8] == bytes(4)  # no time
    assert content[3] == 0  # no name


def test_a_name_that_ends_in_nii_is_not_compressed(tmp_path: Path) -> None:
    write_nifti(tmp_path / "a.nii", make_volume())
    write_nifti(tmp_path / "a.nii.gz", make_volume())

    assert (tmp_path / "a.nii").read_bytes() == gzip.decompress((tmp_path / "a.nii.gz").read_bytes())


def test_a_mask_is_written_as_bytes(tmp_path: Path) -> None:
    mask = make_volume().voxels > 0

    write_nifti(tmp_path / "a.nii.gz", Volume(mask.astype(np.float32), np.eye(4)), dtype=np.uint8)

    image = nib.Nifti1Image.from_filename(tmp_path / "a.nii.gz")
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(image.dataobj), mask)


@pytest.mark.parametrize("value", [0.5, 256.0, -1.0, np.nan])
def test_values_that_do_not_fit_are_not_written_as_others(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="uint8"):
        write_nifti(
            tmp_path / "a.nii.gz", Volume(np.full((2, 2, 2), value, np.float32), np.eye(4)), dtype=np.uint8
        )


def test_nothing_of_the_text_in_a_header_comes_out_again(tmp_path: Path) -> None:
    text = b"CANARY"
    path = write_bytes(tmp_path, nifti_bytes(descrip=text, aux_file=text, db_name=text, intent_name=text))

    write_nifti(tmp_path / "out.nii", read_nifti(path))

    assert text in path.read_bytes()
    assert text not in (tmp_path / "out.nii").read_bytes()
