"""How pixels are stored: signs, bits that are not used, values that mean no pixel, inverted values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence as Items

from disyre.adapters.dicom_read import read_dicom
from disyre.errors import UnreadableVolume, UnusableVolume
from disyre.volume import Volume
from tests.dicom_phantom import assert_is_phantom, encoded, in_bytes, make_enhanced, make_series

NATIVE = [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.RLELossless]


def read(
    images: Sequence[FileDataset], syntax: uid.UID = uid.ExplicitVRLittleEndian
) -> tuple[Volume, list[str]]:
    warnings: list[str] = []
    return read_dicom(encoded(images, syntax), on_warning=warnings.append), warnings


def with_pixels(series: list[FileDataset], change: Any) -> list[FileDataset]:
    """The same series with other stored words (rows, columns, unsigned)."""
    for image in series:
        words = np.frombuffer(image.PixelData, "<u2").reshape(image.Rows, image.Columns).copy()
        image.PixelData = np.asarray(change(words)).astype("<u2").tobytes()
    return series


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.name)
def test_signed_values_are_read(syntax: uid.UID) -> None:
    volume, _ = read(make_series(intercept=30_000.0, PixelRepresentation=1), syntax)

    assert_is_phantom(volume)


@pytest.mark.parametrize("is_signed", [0, 1])
@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.name)
def test_what_is_in_the_bits_above_twelve_is_no_part_of_the_value(syntax: uid.UID, is_signed: int) -> None:
    series = make_series(
        slope=16.0,
        intercept=30_000.0 if is_signed else 0.0,
        PixelRepresentation=is_signed,
        BitsStored=12,
        HighBit=11,
    )
    overlays = np.random.default_rng(0).integers(0, 16, (7, 9)) << 12

    volume, _ = read(with_pixels(series, lambda words: words & 0x0FFF | overlays), syntax)

    assert_is_phantom(volume, tolerance=8.1)


def test_images_of_eight_bits_are_read() -> None:
    volume, _ = read(in_bytes(make_series(slope=256.0)))

    assert_is_phantom(volume, tolerance=128.1)


def test_images_of_32_bits_are_read() -> None:
    series = make_series()
    for image in series:
        image.PixelData = np.frombuffer(image.PixelData, "<u2").astype("<u4").tobytes()
        image.BitsAllocated, image.BitsStored, image.HighBit = 32, 32, 31

    volume, _ = read(series)

    assert_is_phantom(volume)


def test_values_in_the_upper_bits_are_refused() -> None:
    with pytest.raises(UnusableVolume, match="HighBit"):
        read(make_series(BitsStored=12, HighBit=15))


PADDED = {
    "unsigned": ({"PixelPaddingValue": 63_536}, 63_536),
    "signed": ({"PixelPaddingValue": -2000, "PixelRepresentation": 1, "intercept": 30_000.0}, 63_536),
    "of a range": ({"PixelPaddingValue": 63_000, "PixelPaddingRangeLimit": 64_000}, 63_536),
}


@pytest.mark.parametrize(("attributes", "word"), PADDED.values(), ids=PADDED)
@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.name)
def test_padding_becomes_as_dark_as_the_darkest_voxel_with_a_warning(
    syntax: uid.UID, attributes: dict[str, Any], word: int
) -> None:
    series = make_series(**attributes)
    whole, _ = read(make_series(**attributes), syntax)

    def pad(words: Any) -> Any:
        words[:, -1] = word
        return words

    volume, warnings = read(with_pixels(series, pad), syntax)

    np.testing.assert_array_equal(volume.voxels[:-1], whole.voxels[:-1])
    np.testing.assert_array_equal(volume.voxels[-1], volume.voxels[:-1].min())
    assert warnings == ["42 voxels set to the darkest value of the others, as the headers call them padding"]


def test_a_signed_padding_value_that_is_written_without_a_sign_is_understood() -> None:
    series = make_series(PixelRepresentation=1, intercept=30_000.0)
    for image in series:
        image.add_new("PixelPaddingValue", "US", 63_536)

    def pad(words: Any) -> Any:
        words[0, 0] = 63_536
        return words

    _, warnings = read(with_pixels(series, pad))

    assert warnings == ["6 voxels set to the darkest value of the others, as the headers call them padding"]


@pytest.mark.parametrize("value", [0, 5, 63_536])
def test_padding_that_is_not_there_changes_nothing(value: int) -> None:
    volume, warnings = read(make_series(PixelPaddingValue=value))

    assert_is_phantom(volume)
    assert warnings == []


def test_padding_of_zero_stays_zero() -> None:
    series = with_pixels(make_series(PixelPaddingValue=0), lambda words: words * (words > 32_500))

    volume, warnings = read(series)

    assert volume.voxels.min() == 0
    assert warnings == []


def test_images_of_nothing_but_padding_are_empty() -> None:
    series = with_pixels(make_series(PixelPaddingValue=7), lambda words: words * 0 + 7)

    volume, _ = read(series)

    assert not volume.voxels.any()


def test_padding_that_is_no_number_is_ignored() -> None:
    series = make_series()
    for image in series:
        image.add_new("PixelPaddingValue", "OB", b"\x01\x02\x03\x04")

    volume, _ = read(series)

    assert_is_phantom(volume)


def test_inverted_greys_are_refused_by_name() -> None:
    with pytest.raises(UnusableVolume, match="MONOCHROME1"):
        read(make_series(PhotometricInterpretation="MONOCHROME1"))


@pytest.mark.parametrize(
    "name",
    ["SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "PixelRepresentation"],
)
@pytest.mark.parametrize("is_empty", [False, True])
def test_what_a_header_does_not_say_of_pixels_is_named(name: str, is_empty: bool) -> None:
    series = make_series()
    for image in series:
        del image[name]
        if is_empty:
            setattr(image, name, None)

    with pytest.raises(UnreadableVolume, match=rf"every image to say .* \({name}\), got one that does not"):
        read(series)


@pytest.mark.parametrize("written", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian], ids=str)
def test_another_byte_order_than_the_file_says_is_not_called_compressed(written: uid.UID) -> None:
    files = [
        content.replace(
            b"\x02\x00\x10\x00UI"
            + (len(written) + len(written) % 2).to_bytes(2, "little")
            + written.encode(),
            b"\x02\x00\x10\x00UI\x14\x00" + uid.ExplicitVRBigEndian.encode(),
            1,
        )
        for content in encoded(make_series(), written)
    ]

    with pytest.raises(UnreadableVolume) as refused:
        read_dicom(files)

    assert "compressed" not in str(refused.value)


def test_colour_is_refused_by_name() -> None:
    with pytest.raises(UnusableVolume, match="got colour"):
        read(make_series(PhotometricInterpretation="RGB", SamplesPerPixel=3))


def test_a_table_of_values_is_refused() -> None:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [2, 0, 16])
    table.add_new("LUTData", "US", [0, 1])

    with pytest.raises(UnusableVolume, match="Modality LUT"):
        read(make_series(ModalityLUTSequence=Items([table])))


@pytest.mark.parametrize(
    "syntax",
    [
        *(uid.RLELossless, uid.JPEGBaseline8Bit, uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless),
        *(uid.JPEG2000Lossless, uid.HTJ2KLossless),
    ],
    ids=lambda syntax: syntax.name,
)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_frame_that_is_cut_off_is_refused(syntax: uid.UID, share: float) -> None:
    series = in_bytes(make_series(4, shape=(33, 36), slope=256.0))
    *whole, last = encoded(series, syntax)
    start = last.index(b"\xe0\x7f\x10\x00OB") + 12
    table_bytes = int.from_bytes(last[start + 4 : start + 8], "little")
    frame = start + 8 + table_bytes
    kept = int(share * int.from_bytes(last[frame + 4 : frame + 8], "little")) // 2 * 2
    cut = last[: frame + 4] + kept.to_bytes(4, "little") + last[frame + 8 : frame + 8 + kept]

    with pytest.raises(UnreadableVolume):
        read_dicom([*whole, cut + b"\xfe\xff\xdd\xe0\0\0\0\0"])


@pytest.mark.parametrize("syntax", [uid.JPEGLossless, uid.JPEGLSLossless, uid.JPEG2000Lossless], ids=str)
@pytest.mark.parametrize(("columns", "rows"), [(34, 33), (33, 34), (3000, 3000)])
def test_a_frame_of_another_size_than_its_header_says_is_refused(
    syntax: uid.UID, columns: int, rows: int
) -> None:
    files = [
        content.replace(
            b"\x28\x00\x10\x00US\x02\x00\x21\x00", b"\x28\x00\x10\x00US\x02\x00" + rows.to_bytes(2, "little")
        ).replace(
            b"\x28\x00\x11\x00US\x02\x00\x21\x00",
            b"\x28\x00\x11\x00US\x02\x00" + columns.to_bytes(2, "little"),
        )
        for content in encoded(make_series(4, shape=(33, 33)), syntax)
    ]

    with pytest.raises(UnreadableVolume):
        read_dicom(files)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xd8\xff\xd9",
        b"no JPEG \xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xd9",
        b"\xff\xd8ab" * 4 + b"\xff\xd9",
    ],
)
def test_a_frame_that_is_no_jpeg_is_refused(frame: bytes) -> None:
    files = []
    for content in encoded(make_series(4), uid.JPEGLossless):
        start = content.index(b"\xe0\x7f\x10\x00OB")
        item = (
            b"\xfe\xff\x00\xe0"
            + (len(frame) + len(frame) % 2).to_bytes(4, "little")
            + frame
            + bytes(len(frame) % 2)
        )
        end = b"\xfe\xff\xdd\xe0\0\0\0\0"
        files.append(content[: start + 12] + b"\xfe\xff\x00\xe0\0\0\0\0" + item + end)

    with pytest.raises(UnreadableVolume):
        read_dicom(files)


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLossless, uid.JPEG2000Lossless], ids=str)
def test_frames_of_an_enhanced_image_may_be_compressed(syntax: uid.UID) -> None:
    volume, _ = read([make_enhanced(make_series(6, shape=(33, 36)))], syntax)

    assert_is_phantom(volume)


def test_an_enhanced_image_in_implicit_vr_may_have_sequences_of_a_stated_length() -> None:
    image = make_enhanced(make_series(24))
    (content,) = encoded([image], uid.ImplicitVRLittleEndian)
    start = content.index(b"\x00\x52\x30\x92") + 4

    volume = read_dicom([content])

    assert 1024 < int.from_bytes(content[start : start + 4], "little") < 0xFFFFFFFF
    assert_is_phantom(volume)


def test_sequences_of_an_enhanced_image_may_be_stored_as_of_an_unknown_kind() -> None:
    image, tag = make_enhanced(make_series(24)), b"\x00\x52\x30\x92"
    (implicit,), (explicit,) = encoded([image], uid.ImplicitVRLittleEndian), encoded([image])
    value = implicit[implicit.index(tag) + 4 : implicit.index(b"\xe0\x7f\x10\x00")]  # its length comes first
    before, behind = explicit[: explicit.index(tag)], explicit[explicit.index(b"\xe0\x7f\x10\x00OW") :]

    volume = read_dicom([before + tag + b"UN\0\0" + value + behind])

    assert_is_phantom(volume)


def test_a_long_attribute_is_refused_in_implicit_vr_too() -> None:
    with pytest.raises(
        UnreadableVolume, match="headers of the usual size, got one with an attribute of 4000"
    ):
        read(make_series(EchoTime=["1.5"] * 1000), uid.ImplicitVRLittleEndian)


@pytest.mark.filterwarnings("ignore:End of file reached")
@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless], ids=str)
def test_a_compressed_image_without_its_end_is_named_as_cut_off(syntax: uid.UID) -> None:
    contents = encoded(make_series(5), syntax)
    contents[2] = contents[2][:-12]

    with pytest.raises(UnreadableVolume, match="compressed pixels are cut off"):
        read_dicom(contents)
