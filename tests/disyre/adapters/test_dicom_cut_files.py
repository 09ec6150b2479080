"""Files that are cut off before they say their series, or inside their pixels."""

from collections.abc import Callable

import pytest
from pydicom import uid

from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.admission import ignore
from disyre.errors import IrregularSlices, UnreadableVolume
from tests.dicom_phantom import assert_is_phantom
from tests.disyre.adapters.two_series import SERIES_TAG, bad, good, with_one_cut

BEFORE_SERIES: dict[str, Callable[[bytes], bytes]] = {
    "in front of the data set": lambda content: content[:150],
    "between two attributes": lambda content: content[: content.index(b"\x20\x00\x0d\x00UI")],
    "inside the name of the series": lambda content: content[: content.index(SERIES_TAG) + 12],
    "with damage": lambda content: content[: content.index(b"\x08\x00\x08\x00CS")] + b"\xff" * 300,
}


@pytest.mark.parametrize("cut", BEFORE_SERIES.values(), ids=BEFORE_SERIES)
def test_a_file_that_is_cut_before_it_says_its_series_is_left_out_with_a_warning(
    cut: Callable[[bytes], bytes],
) -> None:
    upload = [*good(), cut(bad(1)[0])]
    warnings: list[str] = []

    volume = read_dicom(upload, on_warning=warnings.append)

    assert_is_phantom(volume)
    assert len(warnings) == 1
    assert warnings[0].startswith("1 DICOM file left out, as cut off or damaged")
    assert "the first or the last slice of a series may be missing" in warnings[0]


@pytest.mark.parametrize("cut", BEFORE_SERIES.values(), ids=BEFORE_SERIES)
def test_a_slice_that_went_missing_with_a_cut_file_is_still_missed(cut: Callable[[bytes], bytes]) -> None:
    upload = with_one_cut(good(), cut)

    with pytest.raises(IrregularSlices, match="1 slice is missing: 1 after slice 5 of 11"):
        check_dicom(upload)
    with pytest.raises(IrregularSlices):
        read_dicom(upload)


@pytest.mark.parametrize("cut", BEFORE_SERIES.values(), ids=BEFORE_SERIES)
def test_files_that_are_all_cut_are_refused(cut: Callable[[bytes], bytes]) -> None:
    with pytest.raises(UnreadableVolume):
        inspect_dicom([cut(content) for content in good()], ignore)


@pytest.mark.parametrize(
    "syntax", [uid.RLELossless, uid.JPEGLossless, uid.JPEGLSLossless, uid.JPEG2000Lossless], ids=str
)
def test_compressed_pixels_that_are_cut_off_are_seen_in_the_headers(syntax: uid.UID) -> None:
    files = bad(6, syntax, shape=(33, 36))

    with pytest.raises(UnreadableVolume):
        check_dicom([*files[:-1], files[-1][:-60]])


def test_a_fragment_that_is_longer_than_its_file_is_seen_in_the_headers() -> None:
    *whole, last = bad(6, uid.RLELossless, shape=(33, 36))
    start = last.index(b"\xfe\xff\x00\xe0", last.index(b"\xe0\x7f\x10\x00OB") + 20)
    longer = last[: start + 4] + (10_000).to_bytes(4, "little") + last[start + 8 :]

    with pytest.raises(UnreadableVolume):
        check_dicom([*whole, longer])
