"""Volumes of NIfTI files, with nibabel as the oracle."""

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from disyre.adapters.nifti import inspect_nifti, read_nifti
from disyre.errors import InvalidInput, UnsupportedGeometry
from disyre.types import Affine
from tests.nifti_files import nifti_bytes, write_bytes
from tests.strategies import affines

DTYPES = [
    "u1",
    "i1",
    *(order + kind for order in "<>" for kind in ("i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nifti")


@st.composite
def voxel_arrays(draw: st.DrawFn) -> npt.NDArray[Any]:
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    elements: st.SearchStrategy[Any] | None = st.floats(-1e6, 1e6, width=32) if dtype.kind == "f" else None
    if dtype.kind in "iu" and dtype.itemsize == 8:  # as many as float64 holds, in which nibabel computes
        elements = st.integers(0 if dtype.kind == "u" else -(2**52), 2**52)
    return draw(arrays(dtype, draw(array_shapes(min_dims=3, max_dims=3, max_side=6)), elements=elements))


@given(voxels=voxel_arrays(), affine=affines(), is_packed=st.booleans(), is_version_2=st.booleans())
def test_a_file_reads_as_nibabel_reads_it(
    folder: Path, voxels: npt.NDArray[Any], affine: Affine, is_packed: bool, is_version_2: bool
) -> None:
    image_class = nib.Nifti2Image if is_version_2 else nib.Nifti1Image
    content = nifti_bytes(voxels, affine, image_class=image_class)
    path = write_bytes(folder, gzip.compress(content) if is_packed else content)

    volume, facts = read_nifti(path), inspect_nifti(path)

    oracle = image_class.from_bytes(content)
    np.testing.assert_array_equal(volume.voxels, oracle.get_fdata().astype(np.float32))
    np.testing.assert_array_equal(volume.affine, oracle.affine)
    np.testing.assert_array_equal(facts.affine, oracle.affine)
    assert volume.voxels.dtype == np.float32
    assert (facts.shape, facts.spacing_mm) == (voxels.shape, volume.spacing_mm)
    assert facts.orientation == volume.orientation


@given(
    voxels=voxel_arrays(),
    affine=affines(),
    shear=arrays(np.float64, 3, elements=st.floats(-0.01, 0.01)),
    slope=st.floats(0.0625, 128, width=32),
    inter=st.floats(-1e4, 1e4, width=32),
)
def test_scaled_and_sheared_files_read_as_nibabel_reads_them(
    folder: Path,
    voxels: npt.NDArray[Any],
    affine: Affine,
    shear: npt.NDArray[Any],
    slope: float,
    inter: float,
) -> None:
    affine = affine.copy()
    affine[:3, :3] = affine[:3, :3] @ np.array([[1, shear[0], shear[1]], [0, 1, shear[2]], [0, 0, 1]])
    content = nifti_bytes(voxels, affine, scl_slope=slope, scl_inter=inter)

    try:
        volume = read_nifti(write_bytes(folder, content))
    except UnsupportedGeometry:  # sheared too far
        assume(False)

    oracle = nib.Nifti1Image.from_bytes(content)
    np.testing.assert_array_equal(volume.voxels, oracle.get_fdata().astype(np.float32))
    np.testing.assert_array_equal(volume.affine, oracle.affine)


@pytest.mark.parametrize("axes", [(1,), (1, 1), (1, 1, 1, 1)])
def test_further_axes_of_one_are_dropped(tmp_path: Path, axes: tuple[int, ...]) -> None:
    voxels = np.arange(24, dtype=np.int16).reshape((2, 3, 4, *axes))

    volume = read_nifti(write_bytes(tmp_path, nifti_bytes(voxels)))

    np.testing.assert_array_equal(volume.voxels, voxels.reshape(2, 3, 4))


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_masks_of_long_integers_are_read(tmp_path: Path, dtype: npt.DTypeLike) -> None:
    voxels = np.eye(3, dtype=dtype)[None].repeat(2, axis=0)

    np.testing.assert_array_equal(read_nifti(write_bytes(tmp_path, nifti_bytes(voxels))).voxels, voxels)


@pytest.mark.parametrize(("slope", "inter"), [(2.5, -10.0), (-1.0, 7.0), (1.0, 3.0)])
def test_scaling_is_applied_as_nibabel_applies_it(tmp_path: Path, slope: float, inter: float) -> None:
    content = nifti_bytes(scl_slope=slope, scl_inter=inter)

    volume = read_nifti(write_bytes(tmp_path, content))

    np.testing.assert_array_equal(volume.voxels, nib.Nifti1Image.from_bytes(content).get_fdata())


def test_a_slope_of_0_means_no_scaling(tmp_path: Path) -> None:
    volume = read_nifti(write_bytes(tmp_path, nifti_bytes(scl_slope=0, scl_inter=np.nan)))

    np.testing.assert_array_equal(volume.voxels, np.arange(60).reshape(3, 4, 5))


def test_header_extensions_are_skipped(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"CANARY" * 100))

    volume = read_nifti(write_bytes(tmp_path, image.to_bytes()))

    np.testing.assert_array_equal(volume.voxels, np.arange(60).reshape(3, 4, 5))


def test_a_few_voxels_that_are_no_numbers_become_0_with_a_warning(tmp_path: Path) -> None:
    voxels = np.ones((5, 5, 8), np.float32)
    voxels[1, 2, 3] = np.nan
    warnings: list[str] = []

    volume = read_nifti(write_bytes(tmp_path, nifti_bytes(voxels)), on_warning=warnings.append)

    assert volume.voxels[1, 2, 3] == 0
    assert warnings == ["1 voxel set to 0, as NaN or infinite"]


def test_of_several_volumes_the_one_that_is_asked_for_is_read(tmp_path: Path) -> None:
    voxels = np.arange(120, dtype=np.int16).reshape(2, 3, 4, 5)
    path = write_bytes(tmp_path, gzip.compress(nifti_bytes(voxels)))

    for index in range(5):
        np.testing.assert_array_equal(read_nifti(path, volume_index=index).voxels, voxels[..., index])
    assert inspect_nifti(path, volume_index=4).n_volumes == 5


def test_of_one_volume_the_first_may_be_asked_for(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, nifti_bytes())

    np.testing.assert_array_equal(read_nifti(path, volume_index=0).voxels, read_nifti(path).voxels)


def test_files_of_nibabel_are_read_as_nibabel_reads_them_or_refused(tmp_path: Path) -> None:
    folder = Path(nib.__file__).parent / "tests" / "data"
    files = sorted(path for ending in ("nii", "nii.gz", "hdr", "img") for path in folder.glob(f"*.{ending}"))
    refused = []

    for path in files:
        try:
            facts = inspect_nifti(path, volume_index=0)
            voxels = read_nifti(path, volume_index=0).voxels
        except InvalidInput as error:
            refused.append(error.code)
            continue
        image: Any = nib.load(path)
        if isinstance(image, nib.Cifti2Image):  # which drops the axes of one
            image = nib.Nifti2Image.from_filename(path)
        expected = np.asarray(image.dataobj, dtype=np.float32)
        expected = expected.reshape(*expected.shape[:3], -1, order="F")
        np.testing.assert_array_equal(voxels, np.nan_to_num(expected[..., 0], posinf=0, neginf=0))
        assert facts.n_volumes == expected.shape[3]
    assert len(files) > len(refused)
