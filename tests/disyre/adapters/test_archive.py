"""Zip archives: what is read, and every way in which one can be hostile."""

import struct
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disyre.adapters.archive import (
    ArchiveLimits,
    check_archive,
    opened_members,
    read_members,
    read_named,
)
from disyre.errors import InvalidInput, TooLarge, UnusableArchive
from disyre.slice_names import NamedFile
from tests.zip_files import zipped

LIMITS = ArchiveLimits()


def write(folder: Path, content: bytes) -> Path:
    path = folder / "000001"
    path.write_bytes(content)
    return path


def patched(content: bytes, signature: bytes, offset: int, layout: str, value: int) -> bytes:
    """Change a field of every header that begins with `signature`."""
    changed = bytearray(content)
    at = content.find(signature)
    while at >= 0:
        struct.pack_into(layout, changed, at + offset, value)
        at = content.find(signature, at + 4)
    return bytes(changed)


CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"


def read(path: Path, limits: ArchiveLimits = LIMITS) -> list[bytes]:
    return list(read_members(path, limits))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_in_the_order_of_the_archive_without_folders_and_empty_files(
    tmp_path: Path, method: int
) -> None:
    path = write(
        tmp_path, zipped({"b": b"first", "folder/": b"", "folder/a": b"second", "empty": b""}, method)
    )

    assert read(path) == [b"first", b"second"]
    assert check_archive(path, LIMITS) == 2


def test_with_their_names_files_come_even_if_they_are_empty_but_not_those_of_a_system(
    tmp_path: Path,
) -> None:
    files = {"S/": b"", "S/IM1": b"first", "S/IM2": b"", "S/.DS_Store": b"", "__MACOSX/S/._IM1": b"x"}

    found = read_named(write(tmp_path, zipped(files)), LIMITS)

    assert [(file.name, file.size_bytes, b"".join(file.pieces())) for file in found] == [
        ("S/IM1", 5, b"first"),
        ("S/IM2", 0, b""),
        ("__MACOSX/S/._IM1", 1, b"x"),
    ]


def test_names_are_not_shown() -> None:
    assert "CANARY" not in repr(NamedFile("CANARY", b"CANARY"))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"S/": b""}, "got none: it is empty"),
        ({"a": b"", "b": b""}, "2 files of 0 bytes"),
    ],
)
def test_an_archive_with_nothing_in_it_is_refused_by_name(
    tmp_path: Path, files: dict[str, bytes], words: str
) -> None:
    path = write(tmp_path, zipped(files))

    with pytest.raises(UnusableArchive, match=words):
        check_archive(path, LIMITS)


@pytest.mark.parametrize(
    "name", ["../../../../x", "/etc/x", "..\\x", "C:\\x", "a\N{RIGHT-TO-LEFT OVERRIDE}b", "n" * 5000]
)
def test_names_of_members_do_nothing(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, zipped({name: b"content"}))

    assert read(path) == [b"content"]
    assert list(tmp_path.iterdir()) == [path]


def test_large_members_are_whole(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(5_000_000)

    assert read(write(tmp_path, zipped({"a": content})), ArchiveLimits(max_members=1)) == [content]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_both_read(tmp_path: Path) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"first")
        archive.writestr("a", b"second")

    assert read(write(tmp_path, buffer.getvalue())) == [b"first", b"second"]


@pytest.mark.parametrize(
    "content",
    [b"", b"just text", b"%PDF-1.7\n" + zipped({"a": b"x"}), zipped({}), zipped({"folder/": b"", "a": b""})],
    ids=["empty", "text", "zip behind a PDF", "no members", "nothing in its members"],
)
def test_what_is_no_archive_of_files_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnusableArchive):
        check_archive(write(tmp_path, content), LIMITS)


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    content = zipped({"a": b"x" * 1000})

    with pytest.raises(UnusableArchive, match="broken directory"):
        check_archive(write(tmp_path, content[:-30]), LIMITS)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    content = patched(zipped({"a": b"x"}), CENTRAL, 8, "<H", 1)

    with pytest.raises(UnusableArchive, match="password"):
        check_archive(write(tmp_path, content), LIMITS)


@pytest.mark.parametrize(
    ("method", "name"), [(9, "Deflate64"), (12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (77, "method 77")]
)
def test_an_unusual_compression_is_refused_by_its_name(tmp_path: Path, method: int, name: str) -> None:
    content = patched(zipped({"a": b"x"}), CENTRAL, 10, "<H", method)

    with pytest.raises(UnusableArchive, match=f"the compression {name}; save the archive again with Deflate"):
        check_archive(write(tmp_path, content), LIMITS)


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a")
    link.external_attr = 0o120777 << 16
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")

    with pytest.raises(UnusableArchive, match="link"):
        check_archive(write(tmp_path, buffer.getvalue()), LIMITS)


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    content = zipped({"a": b"x" * 1000, "b": b"x" * 1000, "c": b"x" * 1000})

    with pytest.raises(UnusableArchive, match="overlap"):
        check_archive(write(tmp_path, patched(content, CENTRAL, 42, "<I", 0)), LIMITS)


def test_a_member_that_reaches_into_the_directory_is_refused(tmp_path: Path) -> None:
    content = patched(zipped({"a": b"x" * 1000}), CENTRAL, 20, "<I", 5000)

    with pytest.raises(UnusableArchive, match="overlap"):
        check_archive(write(tmp_path, content), LIMITS)


@pytest.mark.parametrize("declared", [10, 5000])
def test_a_member_of_another_size_than_declared_is_refused(tmp_path: Path, declared: int) -> None:
    content = zipped({"a": bytes(range(250)) * 4})
    content = patched(patched(content, CENTRAL, 24, "<I", declared), LOCAL, 22, "<I", declared)

    with pytest.raises(UnusableArchive, match="member"):
        read(write(tmp_path, content))


def test_a_member_whose_sum_is_wrong_is_refused(tmp_path: Path) -> None:
    content = patched(zipped({"a": b"x" * 1000}), CENTRAL, 16, "<I", 1)

    with pytest.raises(UnusableArchive, match=r"damaged one \(number 1\)"):
        read(write(tmp_path, content))


def test_files_may_be_opened_as_often_as_one_likes(tmp_path: Path) -> None:
    path = write(tmp_path, zipped({"b": b"first", "folder/": b"", "a": b"second"}))

    with opened_members(path, LIMITS) as members:
        for member in (*members, *members):
            with member() as file:
                file.seek(1)
                assert file.read() in (b"irst", b"econd")
    assert len(members) == 2


def test_damage_is_told_when_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, patched(zipped({"a": b"x" * 1000}), CENTRAL, 16, "<I", 1))

    with (
        opened_members(path, LIMITS) as (member,),
        pytest.raises(UnusableArchive, match=r"damaged one \(number 1\)"),
        member() as file,
    ):
        file.read()


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    content = zipped({str(n): b"x" for n in range(11)})

    with pytest.raises(TooLarge, match="at most 10 members in the archive, got 11"):
        check_archive(write(tmp_path, content), ArchiveLimits(max_members=10))


def test_a_huge_directory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    content = zipped({"n" * 60_000 + str(n): b"x" for n in range(20)})

    with pytest.raises(TooLarge, match="directory"):
        check_archive(write(tmp_path, content), ArchiveLimits(max_members=100))


def test_members_that_are_too_large_are_refused(tmp_path: Path) -> None:
    content = zipped({"a": bytes(range(250)) * 10})

    with pytest.raises(TooLarge, match="members of at most 2499 bytes, got one of 2500"):
        check_archive(write(tmp_path, content), ArchiveLimits(max_member_bytes=2499))


def test_members_that_are_too_large_together_are_refused(tmp_path: Path) -> None:
    content = zipped({"a": bytes(1000), "b": bytes(1000)})

    with pytest.raises(TooLarge, match="at most 1999 bytes expanded, got 2000"):
        check_archive(write(tmp_path, content), ArchiveLimits(max_total_bytes=1999))


def test_a_bomb_is_refused_without_inflating_it(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="at most 200 times"):
        check_archive(write(tmp_path, zipped({"a": bytes(10_000_000)})), LIMITS)


def test_a_slice_of_air_among_others_is_no_bomb(tmp_path: Path) -> None:
    path = write(tmp_path, zipped({"air": bytes(200_000), "brain": np.random.default_rng(0).bytes(200_000)}))

    assert check_archive(path, LIMITS) == 2


_ARCHIVE = zipped({"a": b"some content, " * 20, "b": b"more", "c/d": bytes(range(256))})


@settings(max_examples=300)
@given(
    changes=st.lists(
        st.tuples(st.integers(4, len(_ARCHIVE) - 1), st.integers(0, 255)), min_size=1, max_size=5
    )
)
def test_damaged_archives_are_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(_ARCHIVE)
    for place, value in changes:
        content[place] = value
    path = write(tmp_path_factory.getbasetemp(), bytes(content))

    try:
        members = read(path)
    except InvalidInput:
        return
    assert len(members) <= 3
