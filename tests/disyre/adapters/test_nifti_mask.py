"""The file of a mask."""

from pathlib import Path

import numpy as np
import pytest

from disyre.adapters.nifti_mask import inspect_mask, read_mask
from disyre.errors import InvalidInput, NonFiniteVoxels, NotAnImage, NotThreeDimensional, UnreadableVolume
from tests.nifti_files import nifti_bytes, write_bytes

WRONG: dict[str, tuple[bytes, type[InvalidInput]]] = {
    "text": (b"text" * 100, NotAnImage),
    "nothing": (b"", NotAnImage),
    "cut off": (nifti_bytes()[:-1], UnreadableVolume),
    "two volumes": (nifti_bytes(np.zeros((3, 4, 5, 2), np.int16)), NotThreeDimensional),
    "a slice": (nifti_bytes(np.zeros((3, 4), np.int16)), NotThreeDimensional),
}


def test_a_mask_is_read_as_a_scan_is(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, nifti_bytes())

    assert inspect_mask(path).shape == (3, 4, 5)
    assert inspect_mask(path).size_ml == pytest.approx(0.059), "59 of 60 voxels of 1 mm are above 0"
    np.testing.assert_array_equal(read_mask(path).voxels, np.arange(60).reshape(3, 4, 5))


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_it_is_said_of_the_mask(tmp_path: Path, what: str) -> None:
    content, error = WRONG[what]
    path = write_bytes(tmp_path, content)

    with pytest.raises(error, match=r"^mask: expected") as inspected:
        inspect_mask(path)
    with pytest.raises(error) as read:
        read_mask(path)

    assert str(read.value) == str(inspected.value)


def test_several_volumes_are_no_mask_and_there_is_no_option_for_it(tmp_path: Path) -> None:
    content, _ = WRONG["two volumes"]

    with pytest.raises(NotThreeDimensional, match=r"one 3-D volume, got 2 of \(3, 4, 5\)") as refused:
        read_mask(write_bytes(tmp_path, content))

    assert "volume_index" not in str(refused.value)


def test_a_mask_of_nan_is_refused_by_name(tmp_path: Path) -> None:
    content = nifti_bytes(np.full((3, 4, 5), np.nan, np.float32))

    with pytest.raises(NonFiniteVoxels, match=r"^mask: .*NaN"):
        read_mask(write_bytes(tmp_path, content))
