"""Beginnings of the files of an archive; archives beside images, which are foreign or may be of the scan."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from disyre.adapters.archive import ArchiveLimits
from disyre.adapters.archive_heads import holds_image, read_heads
from disyre.errors import UnusableArchive
from disyre.media import HEAD_BYTES
from tests.zip_files import zipped

LIMITS = ArchiveLimits()
DICOM = bytes(128) + b"DICM"
NIFTI = (348).to_bytes(4, "little") + bytes(348)
IMAGES = {"dicom": DICOM, "nifti": NIFTI}
JAR = zipped({"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0", "Viewer.class": b"\xca\xfe\xba\xbe"})


def heads(folder: Path, files: dict[str, bytes], limits: ArchiveLimits = LIMITS) -> list[bytes]:
    return list(read_heads(write(folder, zipped(files, zipfile.ZIP_STORED)), limits))


def write(folder: Path, content: bytes) -> Path:
    path = folder / "000001"
    path.write_bytes(content)
    return path


def test_only_the_beginnings_of_files_are_read(tmp_path: Path) -> None:
    files = {name: np.random.default_rng(0).bytes(100_000) for name in "ab"}
    content = zipped(files, zipfile.ZIP_STORED)
    end = content.find(b"PK\x01\x02") - 1

    damaged = content[:end] + bytes([content[end] ^ 1]) + content[end + 1 :]  # at the end of the last file

    assert list(read_heads(write(tmp_path, damaged), LIMITS)) == [
        file[:HEAD_BYTES] for file in files.values()
    ]


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_an_archive_without_images_beside_an_image_is_passed_over(tmp_path: Path, image: bytes) -> None:
    files = {"lib/a.jar": JAR, "image": image, "r.docx": JAR, "note": b"a note"}

    assert heads(tmp_path, files) == [image, b"a note"]


def test_a_large_archive_beside_an_image_is_looked_into(tmp_path: Path) -> None:
    limits = ArchiveLimits(max_members=3)
    large = np.random.default_rng(0).bytes(3 * 2**20)

    assert heads(tmp_path, {"a": DICOM, "jar": zipped({"b": large})}, limits) == [DICOM]
    with pytest.raises(UnusableArchive, match="holds images too"):
        heads(tmp_path, {"a": DICOM, "jar": zipped({"b": large, "c": DICOM})}, limits)


def test_an_archive_beside_no_image_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(UnusableArchive, match="an archive within the archive; send that by itself"):
        heads(tmp_path, {"inner": zipped({"b": DICOM}), "note": b"a note"})


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_an_archive_with_an_image_beside_images_is_refused(tmp_path: Path, image: bytes) -> None:
    with pytest.raises(UnusableArchive, match="that holds images too; unpack it and send all images"):
        heads(tmp_path, {"a": DICOM, "jar": JAR, "inner": zipped({"note": b"a note", "b": image})})


def test_an_archive_is_not_looked_into_two_levels_deep(tmp_path: Path) -> None:
    assert heads(tmp_path, {"a": DICOM, "inner": zipped({"deep": zipped({"b": DICOM})})}) == [DICOM]


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        (JAR[:-30], "broken directory"),
        (zipped({"a": b"x"}, zipfile.ZIP_BZIP2), "bzip2"),
        (JAR.replace(b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0"), "password"),
    ],
    ids=["cut off", "bzip2", "password"],
)
def test_an_archive_beside_images_that_cannot_be_looked_into_is_refused_with_the_reason(
    tmp_path: Path, inner: bytes, words: str
) -> None:
    with pytest.raises(UnusableArchive, match=rf"cannot be looked into \(.*{words}.*\); leave it out"):
        heads(tmp_path, {"a": DICOM, "inner": inner})


def test_archives_beside_images_may_have_only_so_many_files_together(tmp_path: Path) -> None:
    files = {"a": DICOM, "b": JAR, "c": JAR}

    assert heads(tmp_path, files, ArchiveLimits(max_inner_members=4)) == [DICOM]
    with pytest.raises(UnusableArchive, match="at most 3 files in all of them"):
        heads(tmp_path, files, ArchiveLimits(max_inner_members=3))


@pytest.mark.parametrize(
    ("files", "is_there"),
    [({"a": b"a note", "b": NIFTI}, True), ({"a": b"a note", "b": zipped({"c": DICOM})}, False)],
    ids=["an image", "an image two levels deep"],
)
def test_an_archive_says_whether_it_holds_an_image(
    tmp_path: Path, files: dict[str, bytes], is_there: bool
) -> None:
    assert holds_image(write(tmp_path, zipped(files)), LIMITS) is is_there
