"""The one NIfTI among the files of an archive: a single file, or a pair."""

import gzip
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from disyre.adapters.nifti import inspect_nifti, inspect_nifti_members, read_nifti_members
from disyre.adapters.nifti_magic import holds_nifti
from disyre.errors import MultipleVolumes, NotAnImage, UnreadableVolume
from tests.nifti_files import as_members, nifti_bytes, write_bytes


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


@pytest.mark.parametrize("image_class", [nib.Nifti1Pair, nib.Nifti1Image])
@pytest.mark.parametrize(
    ("others", "said"),
    [([], []), ([b"a"], ["1 file left out, as not NIfTI"]), ([b"a"] * 2, ["2 files left out, as not NIfTI"])],
    ids=["none", "one", "two"],
)
def test_files_that_lie_beside_a_nifti_are_counted_in_a_warning(
    image_class: Any, others: list[bytes], said: list[str]
) -> None:
    files = [nifti_bytes(np.ones((4, 4, 4), np.int16))]
    if image_class is nib.Nifti1Pair:
        files = make_pair(nib.Nifti1Pair, pack=bytes)
    members = as_members([*others, *files])
    warnings: list[str] = []

    read_nifti_members(members, on_warning=warnings.append)

    assert warnings == said
    assert list(inspect_nifti_members(members).warnings) == said


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


def test_several_images_are_listed_with_what_their_headers_say() -> None:
    first = nifti_bytes(np.zeros((4, 5, 6, 2), np.int16), np.diag([-1.0, 2, 3, 1]))
    damaged = nifti_bytes(dim=[3, 0, 4, 5, 1, 1, 1, 1])
    pair = make_pair(nib.Nifti1Pair, pack=gzip.compress)

    with pytest.raises(MultipleVolumes) as refused:
        read_nifti_members(as_members([first, b"a note", damaged, *pair]))

    usable, broken, of_a_pair = refused.value.candidates
    assert usable.description == "NIfTI 1 of 3 in the archive: 4 x 5 x 6 voxels of int16"
    assert (usable.n, usable.shape, usable.spacing_mm, usable.orientation) == (2, (4, 5, 6), (1, 2, 3), "LAS")
    assert usable.code == of_a_pair.code == "multiple-volumes"
    assert (broken.description, broken.shape) == ("NIfTI 2 of 3 in the archive", None)
    assert (broken.code, (broken.reason or "")[:23]) == ("unreadable-volume", "expected 1 to 7 axes of")
    assert of_a_pair.description == "NIfTI 3 of 3 in the archive: 3 x 4 x 5 voxels of int16, a pair"


def test_of_very_many_images_the_first_are_listed() -> None:
    with pytest.raises(MultipleVolumes, match="got 101") as refused:
        read_nifti_members(as_members([nifti_bytes()] * 101))

    assert [len(refused.value.candidates), refused.value.candidates[-1].description[:16]] == [
        100,
        "NIfTI 100 of 101",
    ]
