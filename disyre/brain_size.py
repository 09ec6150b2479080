"""How large brains are, and whether there is as much in a mask as in one, or in a part of one."""

from typing import Final

from disyre.errors import MaskMismatch

LEAST_BRAIN_ML: Final = 250.0
"""A scan with less brain holds none, or too little to be scored."""
MOST_BRAIN_ML: Final = 2500.0
"""No brain is larger: what is, is a head."""
MOST_SECTION_CM2: Final = 300.0
"""No section through a brain is larger: of 66 brains at hand, of up to 2.1 L, the largest has 218."""
LEAST_MASK_ML: Final = 10.0
"""A mask may be of a part of a brain, but in less there is nothing to compare."""
EMPTY: Final = "expected a mask with voxels above 0, got an empty one"


def check_size(size_ml: float) -> None:
    """Raise MaskMismatch if a mask is empty, or too small or too large for one of a brain."""
    if size_ml == 0:
        raise MaskMismatch(EMPTY)
    if size_ml > MOST_BRAIN_ML:
        raise MaskMismatch(
            f"expected a brain mask of at most {MOST_BRAIN_ML:g} mL, which no brain exceeds, got one "
            f"of {size_ml:.0f} mL; it may be inverted, or that of a whole head"
        )
    if size_ml < LEAST_MASK_ML:
        raise MaskMismatch(
            f"expected a mask of a brain, or of a part of at least {LEAST_MASK_ML:g} mL, got one of "
            f"{size_ml:.1f} mL"
        )
