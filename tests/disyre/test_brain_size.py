"""A mask is as large as a brain, or a part of one, may be."""

import pytest

from disyre.brain_size import LEAST_MASK_ML, MOST_BRAIN_ML, check_size
from disyre.errors import MaskMismatch


@pytest.mark.parametrize("size_ml", [LEAST_MASK_ML, 1400.0, MOST_BRAIN_ML])
def test_a_brain_or_a_part_of_one_passes(size_ml: float) -> None:
    check_size(size_ml)


@pytest.mark.parametrize(
    ("size_ml", "said"), [(0.0, "empty"), (9.9, "got one of 9.9 mL"), (2501.0, "got one of 2501 mL")]
)
def test_nothing_too_little_and_too_much_are_refused(size_ml: float, said: str) -> None:
    with pytest.raises(MaskMismatch, match=said):
        check_size(size_ml)
