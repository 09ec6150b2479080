"""DICOM is looked into in constant memory, whatever a file holds and however large it is."""

import gc
import random
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from struct import pack

import pytest
from pydicom import dcmread, uid
from pydicom.encaps import encapsulate, generate_frames

from disyre.adapters.archive import ArchiveLimits, read_named
from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom
from disyre.adapters.dicom_jpeg import checked_frames
from disyre.adapters.dicom_opening import Opening
from disyre.adapters.dicom_read import read_dicom
from disyre.errors import InvalidInput, UnreadableVolume
from disyre.scan_facts import ScanFacts
from disyre.slice_names import NamedPieces
from tests.dicom_phantom import assert_is_phantom, encoded, make_enhanced, make_series

_PIXELS = b"\xe0\x7f\x10\x00"
_STUDY = b"\x20\0\x0d\0UI"
_ROWS = b"\x28\0\x10\0US"
_BITS = b"\x28\0\0\x01US\2\0\x10\0"
_SYNTAX = b"\2\0\x10\0UI"
_MIB = 2**20
_OPEN = b"\xff\xff\xff\xff"
_ITEM = b"\xfe\xff\x00\xe0"
_PRIVATE = b"\x2f\x00\x01\x10"


def streamed(start: bytes, n_bytes: int, end: bytes = b"") -> NamedPieces:
    """A file with a long run of zeros in it, which is never in memory as a whole."""

    def pieces() -> Iterator[bytes]:
        yield start
        for _ in range(n_bytes // _MIB):
            yield bytes(_MIB)
        yield end

    return NamedPieces("", len(start) + n_bytes + len(end), pieces)


def with_pixels_of(n_bytes: int) -> NamedPieces:
    """An image that says that it has so many bytes of pixels, and has them."""
    content = encoded(make_series())[0]
    at = content.index(_PIXELS)
    return streamed(content[: at + 8] + pack("<L", n_bytes), n_bytes)


def with_element(
    element: bytes, n_bytes: int, *, syntax: uid.UID = uid.ExplicitVRLittleEndian
) -> NamedPieces:
    """A good image with an element in front of its pixels that is as long as that."""
    content = encoded(make_series(), syntax)[0]
    at = content.index(_PIXELS)
    return streamed(content[:at] + element, n_bytes, content[at:])


def peak_bytes(work: Callable[[], object]) -> int:
    """How much memory it takes, at most at any time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "large",
    [
        pytest.param(with_pixels_of, id="pixels"),
        pytest.param(lambda n: with_element(_PRIVATE + b"OB\0\0" + pack("<L", n), n), id="a private element"),
        pytest.param(lambda n: with_element(_PRIVATE + b"UN\0\0" + pack("<L", n), n), id="an unknown one"),
        pytest.param(
            lambda n: with_element(b"\x2f\0\1\x10" + pack("<L", n), n, syntax=uid.ImplicitVRLittleEndian),
            id="a private element in implicit VR",
        ),
        pytest.param(
            lambda n: with_element(b"\x30\x52\0\x92SQ\0\0" + pack("<L", n), n), id="a sequence that is none"
        ),
        pytest.param(lambda n: with_element(b"\x10\0\x10\0UT\0\0" + pack("<L", n), n), id="a name"),
    ],
)
def test_what_is_large_in_a_file_is_never_in_memory(large: Callable[[int], NamedPieces]) -> None:
    file = large(32 * _MIB)

    assert peak_bytes(lambda: Opening().look(file)) < 8 * _MIB
    assert peak_bytes(lambda: Opening(keep_pixels=True).look(file)) < 8 * _MIB


def test_pixels_are_hashed_but_not_kept_by_who_only_checks(tmp_path: Path) -> None:
    images = make_series(8)
    for image in images:
        image.Rows = image.Columns = 2048
        image.PixelData = bytes(2 * 2048 * 2048)
    path = tmp_path / "series.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, content in enumerate(encoded(images)):
            archive.writestr(str(number), content)
    del images, content

    assert peak_bytes(lambda: inspect_dicom(read_named(path, ArchiveLimits()), lambda said: None)) < 8 * _MIB


def held_bytes(files: Sequence[bytes]) -> int:
    """What is in memory at the end of a look into files, while what was found in them is at hand."""
    before, held = 0, list[int]()

    def instances() -> Iterator[bytes]:
        nonlocal before
        yield files[0]
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        yield from files[1:]
        held.append(tracemalloc.get_traced_memory()[0] - before)

    tracemalloc.start()
    try:
        with suppress(InvalidInput):
            inspect_dicom(instances(), lambda said: None)
    finally:
        tracemalloc.stop()
    return held[0]


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param(lambda content, n: content, id="whole"),
        pytest.param(lambda content, n: content[: content.index(_PIXELS) + 20 + n % 100], id="cut in pixels"),
        pytest.param(lambda content, n: content[: content.index(_ROWS)], id="cut in front of its size"),
        pytest.param(lambda content, n: content[: content.index(_STUDY) + 20], id="cut before its series"),
        pytest.param(lambda content, n: content.replace(_SYNTAX, _SYNTAX[:2] + b"\x11\0UI"), id="no syntax"),
        pytest.param(lambda content, n: content.replace(_BITS, _BITS[:-2] + b"\7\0"), id="7 bits"),
    ],
)
def test_an_image_leaves_little_in_memory_whether_it_can_be_used_or_not(
    spoiled: Callable[[bytes, int], bytes],
) -> None:
    series = encoded(make_series())
    files = [spoiled(series[number % len(series)], number) for number in range(320)]
    held_bytes(files[:32])  # what is loaded once

    held = held_bytes(files)

    assert held < 4096 * len(files)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless])
def test_more_pixels_than_the_header_says_are_refused(syntax: uid.UID) -> None:
    images = encoded(make_series())
    at = images[0].index(_PIXELS)
    fragments = _ITEM + pack("<L", 0) + _ITEM + pack("<L", 2**20) + bytes(2**20) + b"\xfe\xff\xdd\xe0\0\0\0\0"
    pixels = (
        _PIXELS
        + b"OB\0\0"
        + (_OPEN + fragments if syntax == uid.RLELossless else pack("<L", 2**20) + bytes(2**20))
    )
    if syntax == uid.RLELossless:
        images = encoded(make_series(), syntax)
        at = images[0].index(_PIXELS)

    with pytest.raises(UnreadableVolume, match="as the header says"):
        check_dicom([images[0][:at] + pixels, *images[1:]], series=None)


def test_pixels_may_have_padding_behind_them() -> None:
    images = make_series()
    for image in images:
        image.PixelData += bytes(512)
    facts: list[ScanFacts] = []

    check_dicom(encoded(images), on_facts=facts.append)

    assert len(facts) == 1


def test_sequences_of_open_length_that_are_not_needed_are_passed_over() -> None:
    inner = b"\x09\0\1\x10SQ\0\0" + _OPEN + _ITEM + pack("<L", 4) + bytes(4) + b"\xfe\xff\xdd\xe0\0\0\0\0"
    item = _ITEM + _OPEN + inner + b"\xfe\xff\x0d\xe0\0\0\0\0"
    sequence = b"\x6f\0\1\x10SQ\0\0" + _OPEN + item + b"\xfe\xff\xdd\xe0\0\0\0\0"
    files = [content.replace(_PIXELS, sequence + _PIXELS, 1) for content in encoded(make_series())]

    assert_is_phantom(read_dicom(files))


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param((b"\x30\x52\x2f\x92SQ\0\0" + _OPEN + _ITEM + _OPEN) * 40, id="deep"),
        pytest.param(b"\x30\x52\x2f\x92SQ\0\0" + _OPEN + (_ITEM + bytes(4)) * 5_001, id="many items"),
        pytest.param((b"\x09\0\1\x10OB\0\0" + bytes(4)) * 5_001, id="many elements"),
        pytest.param((b"\x08\0\x08\0CS\x02\0M ") * 1_001, id="the same one"),
        pytest.param((b"\x10\0\x20\0LO\0\x04" + bytes(1024)) * 9000, id="long ones"),
        pytest.param(b"\x30\x52\x2f\x92SQ\0\0" + _OPEN + _ITEM + _OPEN, id="cut off"),
        pytest.param(b"\x30\x52\x2f\x92SQ\0\0" + _OPEN + _ITEM[:2], id="cut off at an item"),
    ],
)
def test_a_header_without_end_is_refused(endless: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("disyre.adapters.dicom_header._MOST_ELEMENTS", 5_000)
    monkeypatch.setattr("disyre.adapters.dicom_header._MOST_KEPT", 1_000)
    images = encoded(make_series())

    with pytest.raises(UnreadableVolume):
        check_dicom([images[0][: images[0].index(_PIXELS)] + endless])


def test_frames_of_an_enhanced_image_are_told_without_what_a_vendor_adds_to_each() -> None:
    image = make_enhanced(make_series())
    for frame in image.PerFrameFunctionalGroupsSequence:
        frame.private_block(0x2005, "VENDOR", create=True).add_new(0x0F, "OB", bytes(100_000))
    (content,) = encoded([image])

    assert_is_phantom(read_dicom([content]))
    looked = Opening().look(content)
    assert looked.opened is not None
    assert len(looked.opened.content) < 50_000


def test_a_compressed_image_without_a_frame_is_refused() -> None:
    images = encoded(make_series(), uid.RLELossless)
    nothing = _ITEM + pack("<L", 0) + b"\xfe\xff\xdd\xe0\0\0\0\0"

    with pytest.raises(UnreadableVolume, match="cut off"):
        check_dicom([images[0][: images[0].index(_PIXELS)] + _PIXELS + b"OB\0\0" + _OPEN + nothing])


def test_pixels_in_very_many_parts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("disyre.adapters.dicom_pixels._MOST_FRAGMENTS", 2)

    with pytest.raises(UnreadableVolume, match="fewer parts"):
        check_dicom([_with_fragments(encoded(make_series(), uid.RLELossless)[0], 3)])


def test_pixels_that_end_within_the_length_of_a_fragment_are_refused() -> None:
    content = _with_fragments(encoded(make_series(), uid.RLELossless)[0], 3)

    with pytest.raises(UnreadableVolume, match="cut off"):
        check_dicom([content[:-4]])


def _with_fragments(content: bytes, n: int) -> bytes:
    fragments = (_ITEM + pack("<L", 4) + bytes(4)) * n + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return content[: content.index(_PIXELS)] + _PIXELS + b"OB\0\0" + _OPEN + _ITEM + bytes(4) + fragments


def test_a_file_that_ends_within_the_length_of_an_element_has_no_pixels() -> None:
    (content, *_) = encoded(make_series())

    with pytest.raises(UnreadableVolume):
        check_dicom([content[: content.index(_PIXELS)] + _PRIVATE + b"OB\0\0"])


def test_a_value_in_a_frame_that_is_far_too_long_counts_as_none() -> None:
    image = make_enhanced(make_series())
    for frame in image.PerFrameFunctionalGroupsSequence:
        frame.PlanePositionSequence[0].ImagePositionPatient = [0.0] * 3 + [1.0] * 600

    with pytest.raises(InvalidInput):
        check_dicom(encoded([image]))


@pytest.mark.parametrize("n_bytes_left", [2**17, 0], ids=["behind the pixels", "in front of all"])
def test_deflated_data_that_are_cut_off_are_refused(n_bytes_left: int) -> None:
    images = make_series()
    images[0].DataSetTrailingPadding = random.Random(0).randbytes(2**18)
    content = encoded(images, uid.DeflatedExplicitVRLittleEndian)[0]
    start = content.index(uid.DeflatedExplicitVRLittleEndian.encode()) + len(
        uid.DeflatedExplicitVRLittleEndian
    )

    with pytest.raises(UnreadableVolume):
        check_dicom([content[: -(2**17)] if n_bytes_left else content[: start + 4]])


def test_a_frame_whose_size_or_end_only_its_decoder_sees_is_refused() -> None:
    (content, *_) = encoded(make_series(), uid.JPEGLSLossless)
    image = dcmread(BytesIO(content))
    frame = next(generate_frames(image.PixelData, number_of_frames=1))
    image.Rows += 1
    with pytest.raises(UnreadableVolume, match="as their headers say"):
        checked_frames(image)

    image.Rows -= 1
    image.PixelData = encapsulate([frame.rstrip(b"\0")[:-2]])
    with pytest.raises(UnreadableVolume, match="cut off"):
        checked_frames(image)
