"""NIfTI files that are refused, many of which nibabel lets pass."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disyre.adapters.nifti import inspect_nifti, read_nifti
from disyre.errors import (
    DisyreError,
    InvalidInput,
    InvalidParams,
    NonFiniteVoxels,
    NotAnImage,
    NotThreeDimensional,
    TooLarge,
    UnreadableVolume,
    UnsupportedGeometry,
    UnusableVolume,
)
from tests.nifti_files import nifti_bytes, write_bytes


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, r"to be NaN or infinite, got 100\.0 %"),
        (np.inf, r"to be NaN or infinite, got 100\.0 %"),
        (1e300, r"up to 3\.4e\+38, as floats of 32 bits can hold.* got larger ones in 100\.0 %"),
    ],
)
def test_a_volume_without_numbers_is_refused(tmp_path: Path, value: float, words: str) -> None:
    path = write_bytes(tmp_path, nifti_bytes(np.full((3, 4, 5), value)))

    with pytest.raises(NonFiniteVoxels, match=words):
        read_nifti(path)


def test_scaling_out_of_range_is_refused(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, nifti_bytes(np.full((3, 4, 5), 1000, np.int16), scl_slope=1e38))

    with pytest.raises(NonFiniteVoxels, match="larger ones"):
        read_nifti(path)


def a_box(inside: int, outside: int) -> npt.NDArray[np.int16]:
    return np.pad(np.full((6, 6, 6), inside, np.int16), 2, constant_values=outside)


def test_a_slope_that_inverts_a_scan_is_refused_by_name(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, nifti_bytes(a_box(100, 0), scl_slope=-1, scl_inter=100))

    with pytest.raises(UnusableVolume, match=r"scl_slope.* is above 0, got -1,"):
        read_nifti(path)


def test_a_negative_slope_that_inverts_nothing_is_told(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, nifti_bytes(a_box(-100, 0), scl_slope=-1))
    warnings: list[str] = []

    read_nifti(path, on_warning=warnings.append)

    assert warnings == ["the header's slope (RescaleSlope, scl_slope) is negative: -1"]


@pytest.mark.parametrize("codes", [(-1, 0), (-1, 1), (-32768, 0), (0, -1), (6, 0), (6, 1), (0, 6)])
def test_a_code_that_nifti_does_not_have_is_refused_by_name_if_the_position_hangs_on_it(
    tmp_path: Path, codes: tuple[int, int]
) -> None:
    sform, qform = codes
    path = write_bytes(tmp_path, nifti_bytes(sform_code=sform, qform_code=qform))
    name = f"qform_code is {qform}" if sform == 0 else f"sform_code is {sform}"

    with pytest.raises(UnsupportedGeometry, match=f"{name}, which NIfTI .* may swap left and right"):
        inspect_nifti(path)


@pytest.mark.parametrize("n_more", [-4, 4])
def test_voxels_that_begin_nobody_knows_where_are_refused_if_the_length_of_the_file_does_not_fit(
    tmp_path: Path, n_more: int
) -> None:
    content = nifti_bytes(vox_offset=0)

    with pytest.raises(UnreadableVolume, match="as many bytes as the header says"):
        inspect_nifti(write_bytes(tmp_path, content[:n_more] if n_more < 0 else content + bytes(n_more)))


_QFORM = {"sform_code": 0, "qform_code": 1}
HEADERS: dict[str, tuple[dict[str, Any], type[DisyreError]]] = {
    "unknown size of header": ({"sizeof_hdr": 12345}, NotAnImage),
    "header without voxels": ({"magic": b"ni1"}, NotAnImage),
    "Analyze": ({"magic": b""}, NotAnImage),
    "unknown magic": ({"magic": b"XXX"}, NotAnImage),
    "no axes": ({"dim": [0, 3, 4, 5, 1, 1, 1, 1]}, UnreadableVolume),
    "eight axes": ({"dim": [8, 3, 4, 5, 1, 1, 1, 1]}, UnreadableVolume),
    "less than no axes": ({"dim": [-1, 3, 4, 5, 1, 1, 1, 1]}, UnreadableVolume),
    "an empty axis": ({"dim": [3, 3, 0, 5, 1, 1, 1, 1]}, UnreadableVolume),
    "a negative axis": ({"dim": [3, 3, -4, 5, 1, 1, 1, 1]}, UnreadableVolume),
    "two axes": ({"dim": [2, 3, 20, 1, 1, 1, 1, 1]}, NotThreeDimensional),
    "four axes": ({"dim": [4, 3, 4, 1, 5, 1, 1, 1]}, NotThreeDimensional),
    "five axes": ({"dim": [5, 3, 4, 1, 1, 5, 1, 1]}, NotThreeDimensional),
    "seven huge axes": ({"dim": [7] + [32767] * 7}, TooLarge),
    "a million volumes of a thousand voxels": ({"dim": [5, 10, 10, 10, 1000, 30000, 1, 1]}, TooLarge),
    "three huge axes": ({"dim": [3, 32767, 32767, 32767, 1, 1, 1, 1]}, TooLarge),
    "more voxels than there are": ({"dim": [3, 3, 4, 6, 1, 1, 1, 1]}, UnreadableVolume),
    "fewer voxels than there are": ({"dim": [3, 3, 4, 4, 1, 1, 1, 1]}, UnreadableVolume),
    "no type": ({"datatype": 0}, UnreadableVolume),
    "bits": ({"datatype": 1}, UnreadableVolume),
    "complex": ({"datatype": 32}, UnusableVolume),
    "RGB": ({"datatype": 128}, UnusableVolume),
    "RGBA": ({"datatype": 2304}, UnusableVolume),
    "quadruple precision": ({"datatype": 1536}, UnreadableVolume),
    "unknown type": ({"datatype": 9999}, UnreadableVolume),
    "bits of another type": ({"bitpix": 8}, UnreadableVolume),
    "voxels in the header": ({"vox_offset": 100}, UnreadableVolume),
    "voxels before the file": ({"vox_offset": -352}, UnreadableVolume),
    "voxels between two bytes": ({"vox_offset": 353.5}, UnreadableVolume),
    "voxels nowhere": ({"vox_offset": np.nan}, UnreadableVolume),
    "voxels behind the file": ({"vox_offset": 1e6}, UnreadableVolume),
    "voxels far behind the file": ({"vox_offset": 1e30}, UnreadableVolume),
    "slope that is no number": ({"scl_slope": np.nan}, UnreadableVolume),
    "infinite slope": ({"scl_slope": np.inf}, UnreadableVolume),
    "intercept that is no number": ({"scl_inter": np.nan}, UnreadableVolume),
    "sform of zeros": ({"srow_x": 0, "srow_y": 0, "srow_z": 0}, UnsupportedGeometry),
    "sform of NaN": ({"srow_x": np.nan}, UnsupportedGeometry),
    "origin of NaN": ({"srow_x": [1, 0, 0, np.nan]}, UnsupportedGeometry),
    "two equal axes": ({"srow_y": [1, 0, 0, 0]}, UnsupportedGeometry),
    "spacing of a metre": ({"srow_x": [1000, 0, 0, 0]}, UnsupportedGeometry),
    "spacing of a micrometre": ({"srow_x": [0.001, 0, 0, 0]}, UnsupportedGeometry),
    "sheared slices": ({"srow_x": [1, 0, 0.06, 0]}, UnsupportedGeometry),
    "qform without spacing": (_QFORM | {"pixdim": [1, 0, 1, 1, 1, 1, 1, 1]}, UnsupportedGeometry),
    "qform with a negative spacing": (_QFORM | {"pixdim": [1, -1, 1, 1, 1, 1, 1, 1]}, UnsupportedGeometry),
    "qform of NaN": (_QFORM | {"quatern_b": np.nan}, UnsupportedGeometry),
    "qform with an impossible rotation": (_QFORM | {"quatern_b": 5}, UnsupportedGeometry),
    "no orientation and a spacing of 0": ({"sform_code": 0, "pixdim": [1] + [0] * 7}, UnsupportedGeometry),
    "no orientation and no spacing": ({"sform_code": 0, "pixdim": np.nan}, UnsupportedGeometry),
}


@pytest.mark.parametrize("read", [inspect_nifti, read_nifti])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(("fields", "error"), HEADERS.values(), ids=HEADERS)
def test_a_wrong_header_is_refused(
    tmp_path: Path,
    fields: dict[str, Any],
    error: type[DisyreError],
    pack: Callable[[bytes], bytes],
    read: Callable[[Path], object],
) -> None:
    path = write_bytes(tmp_path, pack(nifti_bytes(**fields)))

    with pytest.raises(error, match="expected"):
        read(path)


def test_a_spacing_of_another_unit_is_refused_with_the_unit(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedGeometry, match=r"1e\+06 x .* mm; the unit of its header is the metre"):
        inspect_nifti(
            write_bytes(tmp_path, nifti_bytes(affine=np.diag([1000.0, 1000, 1000, 1]), xyzt_units=1))
        )


@pytest.mark.parametrize(
    ("row", "came"), [([np.nan, 0, 0, 0], "NaN or infinite"), ([0, 0, 0, 0], "spacing of 0")]
)
def test_a_position_that_is_no_number_and_an_edge_without_length_are_told_apart(
    tmp_path: Path, row: list[float], came: str
) -> None:
    with pytest.raises(UnsupportedGeometry, match=came):
        inspect_nifti(write_bytes(tmp_path, nifti_bytes(srow_x=row)))


def test_a_shear_is_refused_with_its_angle(tmp_path: Path) -> None:
    affine = np.diag([1.82, 1.82, 3, 1])
    affine[0, 2] = 9

    with pytest.raises(UnsupportedGeometry, match=r"shears the scan by 71\.6 degrees"):
        inspect_nifti(write_bytes(tmp_path, nifti_bytes(affine=affine)))


def test_sizes_of_version_2_do_not_overflow(tmp_path: Path) -> None:
    content = nifti_bytes(image_class=nib.Nifti2Image, dim=[3, 2**40, 2**40, 2**40, 1, 1, 1, 1])

    with pytest.raises(TooLarge):
        inspect_nifti(write_bytes(tmp_path, content))


def test_several_volumes_are_refused_with_how_many_they_are(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, nifti_bytes(np.zeros((3, 4, 5, 7), np.int16)))

    with pytest.raises(NotThreeDimensional, match=r"got 7 of \(3, 4, 5\) voxels; .* from 0 to 6"):
        inspect_nifti(path)


@pytest.mark.parametrize(("axes", "most"), [((7,), 6), ((1,), 0), ((), 0)])
def test_a_volume_that_is_not_there_is_refused(tmp_path: Path, axes: tuple[int, ...], most: int) -> None:
    path = write_bytes(tmp_path, nifti_bytes(np.zeros((3, 4, 5, *axes), np.int16)))

    with pytest.raises(InvalidParams, match=f"from 0 to {most}, got 7"):
        inspect_nifti(path, volume_index=7)


@pytest.mark.parametrize(
    ("content", "came"),
    [
        (b"", "an empty file"),
        (b"ab", "another kind of file"),
        (b"just some text\n" * 100, "another kind of file"),
        (bytes(1000), "another kind of file"),
        (gzip.compress(b""), "an empty file"),
        (gzip.compress(b"just some text\n" * 100), "another kind of file"),
    ],
    ids=["empty", "short", "text", "zeros", "nothing in gzip", "text in gzip"],
)
def test_what_is_no_nifti_is_refused(tmp_path: Path, content: bytes, came: str) -> None:
    with pytest.raises(NotAnImage, match=came):
        inspect_nifti(write_bytes(tmp_path, content))


@pytest.mark.parametrize("read", [inspect_nifti, read_nifti])
@pytest.mark.parametrize("length", [3, 11, 200, 348, 400, -1])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_truncated_file_is_refused(
    tmp_path: Path, pack: Callable[[bytes], bytes], length: int, read: Callable[[Path], object]
) -> None:
    voxels = np.random.default_rng(0).integers(0, 1000, (9, 9, 9), dtype=np.int16)
    content = pack(nifti_bytes(voxels))

    with pytest.raises((UnreadableVolume, NotAnImage)):
        read(write_bytes(tmp_path, content[:length]))


def test_a_truncated_end_is_called_that(tmp_path: Path) -> None:
    with pytest.raises(UnreadableVolume, match="truncated"):
        inspect_nifti(write_bytes(tmp_path, gzip.compress(nifti_bytes())[:-4]))


@pytest.mark.parametrize("read", [inspect_nifti, read_nifti])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content + b"x",
        lambda content: gzip.compress(content + b"x"),
        lambda content: gzip.compress(content) + b"garbage",
        lambda content: gzip.compress(content) + gzip.compress(b"more"),
        lambda content: gzip.compress(content)[:-8] + bytes(8),
    ],
    ids=["a byte more", "a byte more in gzip", "a tail", "a second member", "a wrong sum"],
)
def test_bytes_too_many_or_wrong_are_refused(
    tmp_path: Path, spoil: Callable[[bytes], bytes], read: Callable[[Path], object]
) -> None:
    with pytest.raises(UnreadableVolume):
        read(write_bytes(tmp_path, spoil(nifti_bytes())))


def test_a_bomb_is_not_inflated_further_than_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "000001"
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(nifti_bytes())
        for _ in range(200):
            file.write(bytes(2**20))
        file.write(b"never reached, so the broken sum at the end is not seen")
    broken = bytearray(path.read_bytes())
    broken[-8:] = bytes(8)
    path.write_bytes(broken)

    with pytest.raises(UnreadableVolume, match="got more"):
        inspect_nifti(path)


def test_more_voxels_than_may_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="at most 59 voxels, got 60"):
        inspect_nifti(write_bytes(tmp_path, nifti_bytes()), max_voxels=59)


_CONTENT = nifti_bytes()


@settings(max_examples=300)
@given(
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8),
    is_packed=st.booleans(),
)
def test_damaged_files_are_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], is_packed: bool
) -> None:
    content = bytearray(gzip.compress(_CONTENT, mtime=0) if is_packed else _CONTENT)
    for place, value in changes:
        content[place % len(content)] = value
    path = write_bytes(tmp_path_factory.getbasetemp(), bytes(content))

    try:
        volume = read_nifti(path)
    except InvalidInput:
        return
    assert np.isfinite(volume.voxels).all()
    assert inspect_nifti(path).shape == volume.shape
