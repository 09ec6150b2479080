"""DICOM that is damaged or hostile."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disyre.adapters.dicom_read import read_dicom
from disyre.errors import (
    InvalidInput,
    MultipleVolumes,
    UnreadableVolume,
)
from tests.dicom_phantom import encoded, make_series


def test_images_without_pixels_are_refused() -> None:
    series = make_series()
    for image in series:
        del image.PixelData

    with pytest.raises(UnreadableVolume, match="expected images with pixels"):
        read_dicom(encoded(series))


@pytest.mark.parametrize("length", [700, -10])
def test_a_truncated_image_is_refused(length: int) -> None:
    *whole, last = encoded(make_series())

    with pytest.raises(InvalidInput):
        read_dicom([*whole, last[:length]])


def test_sequences_in_sequences_without_end_are_refused() -> None:
    (content, *others) = encoded(make_series())
    group = b"\x00\x52\x30\x92"  # per-frame functional groups, so that they are not skipped
    nested = (group[1::-1] + group[3:1:-1] + b"SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff") * 5000
    at = content.index(b"\xe0\x7f\x10\x00")

    with pytest.raises(InvalidInput):
        read_dicom([content[:at] + nested, *others])


def test_nothing_that_a_person_wrote_is_repeated() -> None:
    first, second = make_series(), make_series(SeriesInstanceUID="1.2.3")

    with pytest.raises(MultipleVolumes) as refusal:
        read_dicom(encoded(first + second))

    assert "CANARY" not in str(refusal.value)


_FILES = encoded(make_series(4, shape=(5, 4)))


@settings(max_examples=150)
@given(
    file=st.integers(0, 3),
    changes=st.lists(
        st.tuples(st.integers(128, min(map(len, _FILES)) - 1), st.integers(0, 255)), min_size=1, max_size=6
    ),
)
def test_damaged_files_are_read_or_refused_and_nothing_else(
    file: int, changes: list[tuple[int, int]]
) -> None:
    files = [bytearray(content) for content in _FILES]
    for place, value in changes:
        files[file][place] = value

    try:
        volume = read_dicom([bytes(content) for content in files])
    except InvalidInput:
        return
    assert np.isfinite(volume.voxels).all()
