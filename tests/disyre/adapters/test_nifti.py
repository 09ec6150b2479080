"""NIfTI in and out, with nibabel as the oracle."""

import gzip
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from disyre.adapters.nifti import inspect_nifti, inspect_nifti_members, read_nifti, read_nifti_members
from disyre.adapters.nifti_magic import holds_nifti
from disyre.adapters.nifti_write import write_nifti
from disyre.errors import InvalidInput, MultipleVolumes, NotAnImage, UnreadableVolume, UnsupportedGeometry
from disyre.types import Affine
from disyre.volume import Volume
from tests.builders import make_volume
from tests.nifti_files import as_members, nifti_bytes, write_bytes
from tests.strategies import affines

DTYPES = [
    "u1",
    "i1",
    *(order + kind for order in "<>" for kind in ("i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")),
]
OBLIQUE = np.array([[0.9, -0.2, 0.3, -80], [0.2, 1.0, -0.3, -100], [-0.1, 0.2, 2.0, -50], [0, 0, 0, 1.0]])
"""Its axes are 2 degrees from a right angle."""


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


def test_a_qform_that_is_not_taken_need_not_be_valid(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, nifti_bytes(qform_code=1, quatern_b=9.0))
    warnings: list[str] = []

    read_nifti(path, on_warning=warnings.append)

    assert warnings == ["the header's qform is not valid; its sform was taken"]


def make_pair(image_class: Any, *, pack: Callable[[bytes], bytes]) -> list[bytes]:
    """Header and voxels in two files, by nibabel."""
    voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    files = image_class.make_file_map({"header": BytesIO(), "image": BytesIO()})
    image = image_class(voxels, np.diag([-1, 2, 1, 1]))
    image.file_map = files
    image.to_file_map()
    written = [files[name].fileobj for name in ("header", "image")]
    return [pack(file.getvalue()) for file in written if isinstance(file, BytesIO)]


@pytest.mark.parametrize("image_class", [nib.Nifti1Pair, nib.Nifti2Pair])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("turned", [1, -1])
def test_a_pair_of_header_and_voxels_is_read(
    image_class: Any, pack: Callable[[bytes], bytes], turned: int
) -> None:
    members = [*make_pair(image_class, pack=pack), b"a note"][::turned]

    volume = read_nifti_members(as_members(members))

    np.testing.assert_array_equal(volume.voxels, np.arange(60).reshape(3, 4, 5))
    np.testing.assert_array_equal(volume.affine, np.diag([-1, 2, 1, 1]))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_header_of_a_pair_may_have_extensions_behind_it(pack: Callable[[bytes], bytes]) -> None:
    header, voxels = make_pair(nib.Nifti1Pair, pack=bytes)
    members = as_members([pack(header + bytes(4)), pack(voxels)])

    np.testing.assert_array_equal(read_nifti_members(members).voxels, np.arange(60).reshape(3, 4, 5))
    assert inspect_nifti_members(members).shape == (3, 4, 5)


def test_a_header_of_a_pair_without_an_end_is_refused() -> None:
    header, voxels = make_pair(nib.Nifti1Pair, pack=bytes)

    with pytest.raises(UnreadableVolume, match="expected a header of at most"):
        read_nifti_members(as_members([gzip.compress(header + bytes(64 * 2**20 + 1)), voxels]))


def test_a_pair_among_very_many_files_is_refused_without_inflating_them() -> None:
    members = as_members([*make_pair(nib.Nifti1Pair, pack=bytes), *[gzip.compress(b"a")] * 20])

    with pytest.raises(UnreadableVolume, match="with at most 19 other files, got 20"):
        read_nifti_members(members)


def test_several_volumes_of_a_file_in_an_archive_are_counted_and_one_is_read() -> None:
    voxels = np.arange(120, dtype=np.int16).reshape(2, 3, 4, 5)
    members = as_members([gzip.compress(nifti_bytes(voxels))])

    assert inspect_nifti_members(members, volume_index=1).n_volumes == 5
    np.testing.assert_array_equal(read_nifti_members(members, volume_index=1).voxels, voxels[..., 1])


DICOM_HEAD = bytes(128) + b"DICM"


@pytest.mark.parametrize(
    ("heads", "is_nifti"),
    [
        ([], False),
        ([b"a note", b"\x1f\x8bno gzip"], False),
        ([b"a note", DICOM_HEAD], False),
        ([b"a note", nifti_bytes()[:400]], True),
        ([gzip.compress(nifti_bytes())[:-8], b""], True),
        ([make_pair(nib.Nifti2Pair, pack=bytes)[0]], True),
    ],
)
def test_an_archive_is_read_as_what_its_files_begin_with(heads: list[bytes], is_nifti: bool) -> None:
    assert holds_nifti(heads) is is_nifti


@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_analyze_in_an_archive_is_refused_as_by_itself(
    tmp_path: Path, endianness: str, pack: Callable[[bytes], bytes]
) -> None:
    header = nib.AnalyzeHeader(endianness=endianness).binaryblock
    with pytest.raises(NotAnImage, match=r"Analyze 7\.5") as by_itself:
        inspect_nifti(write_bytes(tmp_path, header))

    with pytest.raises(NotAnImage) as in_archive:
        holds_nifti([b"voxels", pack(header)])

    assert str(in_archive.value) == str(by_itself.value)
    assert not holds_nifti([pack(header), DICOM_HEAD])


def test_an_archive_with_dicom_and_nifti_is_refused() -> None:
    with pytest.raises(MultipleVolumes, match="DICOM or NIfTI in the archive, got both"):
        holds_nifti([DICOM_HEAD, nifti_bytes()])


def test_one_file_among_others_is_read() -> None:
    members = [b"a note", gzip.compress(nifti_bytes()), b"\x1f\x8bno gzip"]

    np.testing.assert_array_equal(
        read_nifti_members(as_members(members)).voxels, np.arange(60).reshape(3, 4, 5)
    )


HEADER_OF_PAIR, _ = make_pair(nib.Nifti1Pair, pack=bytes)


@pytest.mark.parametrize(
    ("members", "error", "came"),
    [
        ([b"a note"], NotAnImage, "got 0"),
        ([nifti_bytes(), nifti_bytes()], MultipleVolumes, "got 2"),
        (make_pair(nib.Nifti1Pair, pack=bytes)[:1], UnreadableVolume, "120 bytes with its voxels .*got none"),
        ([*make_pair(nib.Nifti1Pair, pack=bytes), bytes(120)], UnreadableVolume, "got 2 of this size"),
        ([HEADER_OF_PAIR, b"\x1f\x8b" + bytes(118)], UnreadableVolume, "got one of damaged gzip"),
        ([HEADER_OF_PAIR, bytes(119)], UnreadableVolume, "one file of 120 bytes .*got one of 119 bytes"),
        ([HEADER_OF_PAIR, gzip.compress(bytes(119))], UnreadableVolume, "got one of 119 bytes"),
        ([HEADER_OF_PAIR, bytes(1000)], UnreadableVolume, "got one of more bytes"),
        ([HEADER_OF_PAIR, b"a note", bytes(90)], UnreadableVolume, "2 other files, the largest of 90 bytes"),
    ],
)
def test_an_archive_without_one_whole_image_is_refused(
    members: list[bytes], error: type[Exception], came: str
) -> None:
    with pytest.raises(error, match=came):
        read_nifti_members(as_members(members))


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
